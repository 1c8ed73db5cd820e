"""A lab that boots real kernels on emulated machines and asks them questions.

It is a program beside the package, not a part of it: it needs QEMU, downloads
kernels, and may print.  Run it as ``python -m lab`` from the repository root.
"""

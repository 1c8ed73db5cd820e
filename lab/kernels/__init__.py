"""Debian's kernels and our own builds, and the module that asks them."""

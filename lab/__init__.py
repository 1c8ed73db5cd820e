"""Boots real kernels on emulated machines and compares; makes the fixtures."""

"""What modprobe.d and the kernel command line say, and what in it is odd."""

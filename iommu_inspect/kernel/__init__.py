"""What the kernel would answer, and why."""

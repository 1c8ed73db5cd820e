"""What the kernel's answers and the rules' findings come to."""

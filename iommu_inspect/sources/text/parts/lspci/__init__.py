"""What ``lspci`` prints of a function: its first line, its details, its tree."""

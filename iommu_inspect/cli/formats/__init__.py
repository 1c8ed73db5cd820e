"""What results are written as, and where to: the terminal, or a file."""

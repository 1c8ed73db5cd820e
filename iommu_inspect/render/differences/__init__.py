"""What changed between two sources, as text."""

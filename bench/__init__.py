"""What the tool costs: measured, not guessed."""

"""What would come of steps that nobody has taken."""

"""What the host uses its devices for, what it would lose, and how that is said."""

"""Many hosts: what is kept of each, and sums that are made anywhere, in any order."""

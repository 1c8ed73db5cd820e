"""Many hosts at once: what is done with each, and by whom."""

"""From results to text; pure."""

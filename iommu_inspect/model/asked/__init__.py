"""What a person asks for: targets, expectations, and what cannot be had."""

"""How a host is set up: its kernel, platform, IOMMUs and settings."""

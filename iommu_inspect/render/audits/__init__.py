"""The text of ``audit``."""

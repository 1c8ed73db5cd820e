"""The text of ``plan``."""

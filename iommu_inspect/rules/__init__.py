"""The rule book: what is, and why. Each rule is one ``.py`` and one ``.md``."""

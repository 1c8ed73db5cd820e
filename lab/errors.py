"""The one exception that the lab reports without a traceback."""


class LabError(Exception):
    """Something outside the lab's control failed; the text says what."""

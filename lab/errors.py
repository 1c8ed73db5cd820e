"""The exceptions that the lab reports without a traceback."""


class LabError(Exception):
    """Something outside the lab's control failed; the text says what."""


class Unavailable(LabError):
    """A program or a package that the lab needs cannot be had here."""

"""Where facts come from.

Only ``directory.py``, ``bounded.py`` and ``opening.py`` touch the filesystem.
"""

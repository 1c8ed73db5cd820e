"""Breaks the code in small ways, and looks whether a test notices.

See ``python -m tools.mutants`` and docs/development.md.
"""

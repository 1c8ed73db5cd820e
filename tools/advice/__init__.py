"""Holds the advice that is printed against the machine that it is about."""

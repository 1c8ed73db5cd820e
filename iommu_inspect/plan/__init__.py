"""Remedies: what to type, printed and never run."""

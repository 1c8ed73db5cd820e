"""Machines from text that people paste."""

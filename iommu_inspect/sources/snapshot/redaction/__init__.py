"""Scrubbing by kind: what may pass of each file, and what stands for the rest."""

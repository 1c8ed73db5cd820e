"""Watches every Python that a test starts; its directory is in PYTHONPATH."""

from __future__ import annotations

import os

import watching  # type: ignore[import-not-found]

if watching.RECORD in os.environ:
    watching.watch(os.environ[watching.RECORD])

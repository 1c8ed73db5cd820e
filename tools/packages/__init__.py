"""Wheel, source archive and Debian package: how they are made, and tried."""

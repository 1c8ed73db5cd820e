"""Captures of many hosts: where they are, how they are got, where results wait."""

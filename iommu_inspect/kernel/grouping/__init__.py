"""Which devices share a group, why, and whether that can change."""

"""Why devices share a group, in sentences."""

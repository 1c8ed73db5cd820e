"""A host as a file: what the tool reads of it, scrubbed, and what it could not read."""

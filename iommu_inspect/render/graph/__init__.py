"""The picture of a machine: one scene, and a writer for each language."""

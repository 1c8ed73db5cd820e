"""What changed between two sources of one machine, in terms of groups and ownership."""

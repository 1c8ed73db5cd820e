"""An audit in the formats of other programs: one small module a format."""

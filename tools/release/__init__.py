"""Whether what names a release agrees."""

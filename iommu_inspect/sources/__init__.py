"""Where facts come from; only ``tree.py`` touches the filesystem."""

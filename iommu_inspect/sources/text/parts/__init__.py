"""A reader a kind of text: what ``lspci`` prints, lists of groups, the log."""

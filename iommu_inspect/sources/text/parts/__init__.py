"""A reader a kind of text: what ``lspci`` prints, a list of groups, the kernel's log."""

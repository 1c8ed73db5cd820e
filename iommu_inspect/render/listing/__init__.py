"""``list`` for people: a table of chosen columns, blocks where that is too wide."""

"""Which groups are made: of newcomers, of isolation, of a board without any."""

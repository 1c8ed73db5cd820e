"""The net: everything that every command says of every capture, kept and compared."""

"""Loops that throw damaged input at the parsers for as long as one likes."""

"""The sequence of a plan, there and back, tried on the machine."""

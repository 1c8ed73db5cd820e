"""One decision for each device: what moves, what stays, what never does, and why."""

"""The events that the kernel sends, as they come: only of the running host."""

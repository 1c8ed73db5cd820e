"""Names that mean something to a shell, in all fields of the model, in all output."""

"""What the host lives on and how it is set up."""

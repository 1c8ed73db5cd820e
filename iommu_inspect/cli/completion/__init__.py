"""What shells are told when somebody presses Tab."""

"""How the guest's side names the devices."""

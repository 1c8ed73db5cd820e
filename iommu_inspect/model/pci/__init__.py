"""What PCI has numbers for: addresses, registers, classes."""

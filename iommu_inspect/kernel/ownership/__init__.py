"""Who owns a group's DMA, and what the calls about it return."""

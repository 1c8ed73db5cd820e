"""Facts about a host as frozen data, and pure questions about them."""

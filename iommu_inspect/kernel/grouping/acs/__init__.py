"""What keeps requests from peers: ACS, and the quirks in its place."""

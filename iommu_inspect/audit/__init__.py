"""The verdict about targets or a host, with what somebody decided to live with."""

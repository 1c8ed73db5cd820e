"""Read every capture and text of a collection, and hold what is read against it."""

"""What many hosts come to: a table, a page, metrics, and a document a host."""

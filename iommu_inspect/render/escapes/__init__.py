"""Text of a source in the languages of others: one small module a language."""

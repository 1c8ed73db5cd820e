"""Programs for those who work on the project; none of them ships in the package."""

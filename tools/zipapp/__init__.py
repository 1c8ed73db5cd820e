"""The program and all that it needs, in one file that any python3 runs."""

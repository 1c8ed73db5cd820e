"""What is typed and written down on the host: commands, a script, every boot."""

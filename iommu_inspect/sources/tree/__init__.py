"""The only filesystem I/O: directories, tars, bounded reads, opening."""

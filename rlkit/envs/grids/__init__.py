"""Grid worlds whose state is a cell: maps, slip and wind."""

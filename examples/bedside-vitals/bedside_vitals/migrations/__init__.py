"""The migrations of vitals, in the order of their names."""

"""The migrations of plans, in the order of their names."""

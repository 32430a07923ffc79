"""Core's own migrations, in the order of their names."""

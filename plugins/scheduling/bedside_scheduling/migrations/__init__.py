"""Scheduling's migrations, in the order of their names."""

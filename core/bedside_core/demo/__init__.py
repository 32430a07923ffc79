"""The demo: three practices, one on each tier, seeded into a database of its own and served on this machine."""

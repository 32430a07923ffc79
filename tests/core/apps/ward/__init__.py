"""A core in small: practices, notes of each, rooms shared between them, and a register that nobody reads directly."""

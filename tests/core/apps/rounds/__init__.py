"""A plugin in small: rounds that a practice makes."""

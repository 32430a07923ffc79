"""The rounds' migrations."""

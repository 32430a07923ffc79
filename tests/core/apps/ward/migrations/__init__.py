"""The ward's migrations."""

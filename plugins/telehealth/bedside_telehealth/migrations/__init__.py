"""Telehealth's migrations."""

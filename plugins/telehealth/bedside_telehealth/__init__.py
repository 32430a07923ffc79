"""Telehealth: video visits, sessions with roles, and the waiting room."""

"""Scheduling: appointments, availability, and patients who book themselves."""

"""Vitals: blood pressure and pulse of a practice's patients, live."""

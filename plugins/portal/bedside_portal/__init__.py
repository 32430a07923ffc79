"""Portal: patients' own accounts, and what they see and do with them."""

"""Chat: conversations between the people of a practice, live."""

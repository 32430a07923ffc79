"""Plans: which features and limits a practice has, and why."""

"""Evidence: what a run scored, its record, and the tables made from records."""

"""What records say together: statistics, comparisons, judgements. Rows, never sentences."""

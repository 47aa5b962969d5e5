"""Trained networks at work: files for other programs."""

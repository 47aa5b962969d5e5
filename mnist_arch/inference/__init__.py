"""Trained networks at work: pictures read, files for other programs."""

"""Trained networks at work: pictures read, or doubted, and files for other programs."""

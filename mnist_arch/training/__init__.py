"""Training: recipes, optimisers that follow the sources, and the one Lightning module."""

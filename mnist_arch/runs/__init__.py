"""A run as a thing: assembled from settings, trained, scored, recorded and looked up."""

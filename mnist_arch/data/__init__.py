"""MNIST: where it comes from, how it is split, batched and augmented."""

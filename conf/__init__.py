"""Settings only; mnist_arch/runs/config.py says what each of them is."""

"""The command lines: each module answers one question, with `python -m experiments.NAME`."""

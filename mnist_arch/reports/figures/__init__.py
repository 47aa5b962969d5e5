"""Figures, drawn without a display: the same numbers give the same bytes on one machine."""

"""Rows in, text and pictures out: tables, pages, figures and TensorBoard."""

"""Plots of retrieval results: one plot per file, each a function that returns a matplotlib `Figure`."""

"""Nearest neighbors: retrievers, `Index` and the settings they are built with."""

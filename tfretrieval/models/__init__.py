"""Embedders and the networks that train them, all functional Keras models."""

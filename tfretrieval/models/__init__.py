"""Embedders and the networks that train them, all functional Keras models."""

from tfretrieval.models.backbones import build_backbone
from tfretrieval.models.classifier import build_classifier
from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.siamese import build_siamese
from tfretrieval.models.triplet import build_triplet

__all__ = ["build_backbone", "build_classifier", "build_embedder", "build_siamese", "build_triplet"]

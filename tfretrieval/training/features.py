"""The features of a frozen backbone, computed once and kept beside the decoded images for later runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.atomic import replaced_file
from tfretrieval.data.cache import cache_folder
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.image_cache import images_fingerprint
from tfretrieval.data.images import ImageTable, fits_in_memory
from tfretrieval.data.pipelines import Table, image_batches
from tfretrieval.data.rows import rows_of
from tfretrieval.embedding.keras_engine import KerasEngine


class FeatureTable:
    """Items and their features float32 [n, f], read by the pipelines like an `ImageTable`."""

    def __init__(self, catalog: Catalog, features: np.ndarray) -> None:
        self.catalog = catalog
        self.gather = rows_of(features)

    def __len__(self) -> int:
        return len(self.catalog)


def feature_table(
    backbone: keras.Model, catalog: Catalog, fit: str, images: Callable[[Catalog], ImageTable]
) -> FeatureTable:
    """The features of a catalog's images, from their file where they have been computed before.

    Of a catalog with images that cannot be decoded nothing is kept.

    Args:
        backbone: images float [b, s, s, 3] in 0..255 -> features [b, f].
        catalog: n items.
        fit: how an image becomes a square.
        images: makes the table of the decoded images, where it is needed.

    Raises:
        UserError: what `images` raises; the file cannot be written.
    """
    path = feature_path(backbone, catalog, fit)
    if not path.is_file():
        table = images(catalog)
        features = KerasEngine(backbone).embed_table(table).astype(np.float32)
        if len(table) < len(catalog):
            return FeatureTable(table.catalog, features)
        with replaced_file(path) as temporary:
            np.save(temporary, features)
    kept = np.load(path, mmap_mode="r", allow_pickle=False)
    in_memory = fits_in_memory(kept.nbytes)
    return FeatureTable(catalog, np.array(kept) if in_memory else kept)


def feature_path(backbone: keras.Model, catalog: Catalog, fit: str) -> Path:
    """Where the features are kept: a name made from the images, the backbone's layers, weights and precision."""
    size = backbone.input_shape[1]
    digest = hashlib.sha256(images_fingerprint(catalog.paths, size, fit).encode())
    digest.update(tf.__version__.encode())
    for layer in backbone._flatten_layers():
        digest.update(f"{type(layer).__name__} {layer.compute_dtype}\n".encode())
    for weights in backbone.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return cache_folder() / "features" / f"{digest.hexdigest()[:16]}.npy"


class Engine(Protocol):
    """What turns the rows of a table into embeddings float32 [n, d]."""

    def embed_table(self, table: Table, rows: np.ndarray | None = None) -> np.ndarray: ...


def engine_of(embedder: keras.Model) -> Engine:
    """The engine for an embedder of images or for one of features (see `head_of`)."""
    return cast(Engine, KerasEngine(embedder)) if len(embedder.input_shape) == 4 else FeatureEngine(embedder)


class FeatureEngine:
    """Turns features into embeddings with the part of an embedder behind its backbone."""

    def __init__(self, head: keras.Model, batch_size: int = 1024) -> None:
        self._batch_size = batch_size
        self._forward = tf.function(
            lambda features: head(features, training=False),
            input_signature=[tf.TensorSpec([None, head.input_shape[-1]], tf.float32)],
        )

    def embed_table(self, table: Table, rows: np.ndarray | None = None) -> np.ndarray:
        """The embeddings of all rows or of those at `rows`: float32 [n, d]."""
        batches = image_batches(table, self._batch_size, rows)
        return np.concatenate([self._forward(features).numpy() for features in batches])

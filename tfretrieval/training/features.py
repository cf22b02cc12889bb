"""Features of a frozen backbone, computed once and cached for later runs."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.atomic import replaced_file
from tfretrieval.data.cache import cache_folder
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.image_cache import images_fingerprint
from tfretrieval.data.images import ImageTable, fits_in_memory, row_gather
from tfretrieval.training.table_embedder import TableEmbedder


class FeatureTable:
    """Items and their features float32 [n, f], a `Table` for the pipelines."""

    def __init__(self, catalog: Catalog, features: np.ndarray) -> None:
        self.catalog = catalog
        self.gather = row_gather(features)

    def __len__(self) -> int:
        return len(self.catalog)


def feature_table(
    backbone: keras.Model, catalog: Catalog, resize_mode: str, image_table: Callable[[Catalog], ImageTable]
) -> FeatureTable:
    """The features of a catalog's images, read from the cache if possible.

    Features are not cached if an image is unreadable.

    Args:
        backbone: model from images float32 [b, s, s, 3] in 0..255 to features [b, f].
        catalog: n items.
        resize_mode: "crop", "pad" or "stretch".
        image_table: decodes the images; called only if the features are not cached.

    Raises:
        UserError: an image is unreadable, or the cache cannot be written.
    """
    path = feature_path(backbone, catalog, resize_mode)
    if not path.is_file():
        table = image_table(catalog)
        features = TableEmbedder(backbone).embed(table).astype(np.float32)
        if len(table) < len(catalog):
            return FeatureTable(table.catalog, features)
        with replaced_file(path) as temporary:
            np.save(temporary, features)
    cached = np.load(path, mmap_mode="r", allow_pickle=False)
    return FeatureTable(catalog, np.array(cached) if fits_in_memory(cached.nbytes) else cached)


def feature_path(backbone: keras.Model, catalog: Catalog, resize_mode: str) -> Path:
    """Cache file of the features, named by a hash of the images and of the backbone's layers, weights and precision."""
    size = backbone.input_shape[1]
    digest = hashlib.sha256(images_fingerprint(catalog.paths, size, resize_mode).encode())
    digest.update(tf.__version__.encode())
    for layer in backbone._flatten_layers():
        digest.update(f"{type(layer).__name__} {layer.compute_dtype}\n".encode())
    for weights in backbone.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return cache_folder() / "features" / f"{digest.hexdigest()[:16]}.npy"

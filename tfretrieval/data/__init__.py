"""From a source of images to batches: `Catalog`, decoding, sampling and the tf.data pipelines."""

from tfretrieval.data.catalog import Catalog

__all__ = ["Catalog"]

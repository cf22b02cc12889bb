"""From a source of pictures to batches: `Catalog`, decoding, sampling and the tf.data pipelines."""

from tfretrieval.data.catalog import Catalog

__all__ = ["Catalog"]

"""`Catalog` and its sources, decoding, sampling, augmentation, tf.data pipelines and built-in data sets."""

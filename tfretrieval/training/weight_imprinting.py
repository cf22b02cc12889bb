"""The prototypes of a cosine head, set to the class means of the embeddings before training begins.

A randomly initialized head sends noise into pretrained weights until it has learned. Source: H. Qi, M. Brown,
D. Lowe, Low-shot learning with imprinted weights, CVPR 2018, equation 4.
"""

from __future__ import annotations

import keras
import numpy as np

from tfretrieval.data.pipelines import Table
from tfretrieval.training.features import engine_of
from tfretrieval.training.network import embedder_of
from tfretrieval.vectors import unit_rows

MOST_PER_CLASS = 100


def imprint_head(classifier: keras.Model, table: Table, seed: int) -> None:
    """Set the prototypes of a classifier's cosine head in place.

    Args:
        classifier: see `build_classifier`.
        table: training images; of a class with more than 100 so many are taken at random.
        seed: of that choice.
    """
    labels = table.catalog.labels
    order = np.random.default_rng(seed).permutation(len(table))
    classes = [order[labels[order] == label][:MOST_PER_CLASS] for label in range(table.catalog.n_classes)]
    rows = np.sort(np.concatenate(classes))
    embeddings = unit_rows(engine_of(embedder_of(classifier)).embed_table(table, rows))
    prototypes = np.zeros((len(classes), embeddings.shape[1]), np.float32)
    np.add.at(prototypes, labels[rows], embeddings)
    classifier.get_layer("head").set_weights([unit_rows(prototypes)])

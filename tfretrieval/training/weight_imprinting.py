"""Weight imprinting: initialize the prototypes of a cosine head with the class means of the embeddings.

A randomly initialized head would propagate noise into pretrained weights. Source: H. Qi, M. Brown,
D. Lowe, Low-shot learning with imprinted weights, CVPR 2018, equation 4.
"""

import keras
import numpy as np

from tfretrieval.data.pipelines import Table
from tfretrieval.training.network import embedder_of
from tfretrieval.training.table_embedder import TableEmbedder
from tfretrieval.vectors import unit_rows

MAX_PER_CLASS = 100


def imprint_head(classifier: keras.Model, table: Table, seed: int) -> None:
    """Set the prototypes of a classifier's cosine head in place.

    Args:
        classifier: classifier with a cosine head, see `build_classifier`.
        table: training images or features; a random sample of 100 of each larger class is used.
        seed: random seed of the sample.
    """
    labels = table.catalog.labels
    order = np.random.default_rng(seed).permutation(len(table))
    rows_by_class = [order[labels[order] == label][:MAX_PER_CLASS] for label in range(table.catalog.n_classes)]
    rows = np.sort(np.concatenate(rows_by_class))
    embeddings = unit_rows(TableEmbedder(embedder_of(classifier)).embed(table, rows))
    prototypes = np.zeros((len(rows_by_class), embeddings.shape[1]), np.float32)
    np.add.at(prototypes, labels[rows], embeddings)
    classifier.get_layer("head").set_weights([unit_rows(prototypes)])

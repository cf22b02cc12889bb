"""Siamese network: two or three inputs share one embedder.

Sources: R. Hadsell, S. Chopra, Y. LeCun, Dimensionality reduction by learning an invariant mapping, CVPR 2006;
F. Schroff, D. Kalenichenko, J. Philbin, FaceNet, CVPR 2015 (three inputs).
"""

import keras

from tfretrieval.models.layers import AnchorDistances


def build_siamese(embedder: keras.Model, n_inputs: int = 2) -> keras.Model:
    """A network from `n_inputs` batches of images to Euclidean distances float32 [b, n_inputs - 1].

    Inputs are images float32 [b, s, s, 3] in 0..255. Column i holds the distances from the embeddings of the anchors,
    input 0, to those of input i + 1. All inputs are embedded as one batch.

    Args:
        embedder: see `build_embedder`; its weights are shared.
        n_inputs: number of inputs; 2 for pairs, 3 for triplets.
    """
    inputs = [keras.Input(embedder.input_shape[1:], name=f"images_{i}") for i in range(n_inputs)]
    batch = keras.layers.Concatenate(axis=0, name="one_batch")(inputs)
    distances = AnchorDistances(n_inputs, dtype="float32", name="distances")(embedder(batch))
    return keras.Model(inputs, distances, name="siamese")

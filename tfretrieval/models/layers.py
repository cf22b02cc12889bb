"""Registered layers, which saved models can load."""

from typing import Any

import keras
import tensorflow as tf

PACKAGE = "tfretrieval"
SMALLEST_SQUARE = 1e-12  # below it a distance and its gradient are 0


@keras.saving.register_keras_serializable(PACKAGE)
class BackbonePreprocessing(keras.layers.Layer):
    """Preprocessing of a `keras.applications` backbone: RGB float [b, s, s, 3] in 0..255 -> float of the same shape.

    Args:
        module: module of `keras.applications` with the `preprocess_input` to apply, for instance "resnet".
    """

    def __init__(self, module: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module = module

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return getattr(keras.applications, self.module).preprocess_input(images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "module": self.module}


@keras.saving.register_keras_serializable(PACKAGE)
class AnchorDistances(keras.layers.Layer):
    """Euclidean distances [b, n - 1] of the first of n inputs to each of the others.

    The embeddings of all inputs are concatenated: [n * b, d]. The gradient is finite where they coincide.

    Args:
        n_inputs: number of inputs n.
    """

    def __init__(self, n_inputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_inputs = n_inputs

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        anchor, *others = tf.split(embeddings, self.n_inputs, axis=0)
        squares = [tf.reduce_sum(tf.square(anchor - other), axis=-1) for other in others]
        return safe_sqrt(tf.stack(squares, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_inputs": self.n_inputs}


@keras.saving.register_keras_serializable(PACKAGE)
class L2Normalization(keras.layers.Layer):
    """L2-normalizes embeddings [b, d]; a zero vector stays zero and has a finite gradient."""

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-6)


@keras.saving.register_keras_serializable(PACKAGE)
class CosineLogits(keras.layers.Layer):
    """Cosine classifier: embeddings [b, d] -> logits [b, c], scaled cosines with a learned prototype of each class.

    Lengths do not matter, so cross-entropy can only decrease by aligning the embeddings of a class.

    Source: A. Zhai, H.-Y. Wu, Classification is a strong baseline for deep metric learning, BMVC 2019, equation 3.

    Args:
        n_classes: number of classes c.
        scale: reciprocal of the softmax temperature.
    """

    def __init__(self, n_classes: int, scale: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.scale = scale

    def build(self, input_shape: Any) -> None:
        shape = (self.n_classes, input_shape[-1])
        self.prototypes = self.add_weight(name="prototypes", shape=shape, initializer="glorot_uniform")
        super().build(input_shape)

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        embeddings = tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-6)
        prototypes = tf.math.l2_normalize(tf.convert_to_tensor(self.prototypes), axis=-1, epsilon=1e-6)
        return self.scale * tf.matmul(embeddings, prototypes, transpose_b=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_classes": self.n_classes, "scale": self.scale}


def safe_sqrt(squares: tf.Tensor) -> tf.Tensor:
    """Square root of a tensor >= 0, with the gradient 0 at 0 instead of infinity."""
    positive = squares > SMALLEST_SQUARE
    return tf.where(positive, tf.sqrt(tf.where(positive, squares, 1.0)), 0.0)

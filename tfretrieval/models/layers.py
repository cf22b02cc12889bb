"""The registered layers: what a saved model needs beyond Keras' own."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfretrieval.models.distances import safe_sqrt

PACKAGE = "tfretrieval"


@keras.saving.register_keras_serializable(PACKAGE)
class BackbonePreprocessing(keras.layers.Layer):
    """RGB in 0..255 -> what a `keras.applications` backbone was trained on; the shape stays.

    Args:
        module: the module of `keras.applications` whose `preprocess_input` applies, such as "resnet".
    """

    def __init__(self, module: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module = module

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return getattr(keras.applications, self.module).preprocess_input(images)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "module": self.module}


@keras.saving.register_keras_serializable(PACKAGE)
class Branches(keras.layers.Layer):
    """Embeddings [n * b, d] of n inputs that went through a network as one batch -> n times [b, d].

    Args:
        n: how many inputs.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n

    def call(self, embeddings: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(embeddings, self.n, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return [(None, *input_shape[1:])] * self.n

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


@keras.saving.register_keras_serializable(PACKAGE)
class PairDistance(keras.layers.Layer):
    """Two embeddings [b, d] -> their Euclidean distances [b]; the gradient is finite where they coincide."""

    def call(self, embeddings: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        one, other = embeddings
        return safe_sqrt(tf.reduce_sum(tf.square(one - other), axis=-1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape[0][:-1])


@keras.saving.register_keras_serializable(PACKAGE)
class TripletDistances(keras.layers.Layer):
    """Anchors, positives, negatives, each [b, d] -> [b, 2]: Euclidean distance to positive, to negative."""

    def call(self, embeddings: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        anchor, positive, negative = embeddings
        squared = [tf.reduce_sum(tf.square(anchor - other), axis=-1) for other in (positive, negative)]
        return safe_sqrt(tf.stack(squared, axis=-1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], 2)


@keras.saving.register_keras_serializable(PACKAGE)
class L2Normalization(keras.layers.Layer):
    """Embeddings [b, d] -> the same on the unit sphere; a zero vector stays zero and has a finite gradient."""

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(embeddings, axis=-1, epsilon=1e-6)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable(PACKAGE)
class CosineLogits(keras.layers.Layer):
    """Embeddings [b, d] -> logits [b, c]: the scaled cosine of each embedding with a prototype of each class.

    Neither the length of an embedding nor that of a prototype matters, so that cross-entropy can only fall where
    embeddings of a class turn towards one another. Source: A. Zhai, H.-Y. Wu, Classification is a strong baseline
    for deep metric learning, BMVC 2019, equation 3.

    Args:
        n_classes: c.
        scale: the reciprocal of the softmax temperature.
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

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.n_classes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_classes": self.n_classes, "scale": self.scale}

"""Two galleries as one."""

from __future__ import annotations

import numpy as np

from tfretrieval.embedding.store import Embeddings


def joined(one: Embeddings, other: Embeddings) -> Embeddings:
    """The items of one and then those of the other. Classes match by name; new ones come last.

    Raises:
        UserError: both hold the same id, or vectors of different sizes.
    """
    class_names = tuple(dict.fromkeys([*one.class_names, *other.class_names]))
    number_of = {name: number for number, name in enumerate(class_names)}
    numbers = np.array([*(number_of[name] for name in other.class_names), -1], np.int32)
    return Embeddings(
        vectors=np.concatenate([one.vectors, other.vectors]),
        ids=np.concatenate([one.ids, other.ids]),
        labels=np.concatenate([one.labels, numbers[other.labels]]),
        class_names=class_names,
        paths=np.concatenate([one.paths, other.paths]),
        splits=np.concatenate([one.splits, other.splits]),
        made_from=one.made_from,
    )

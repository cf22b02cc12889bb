"""Image retrieval and metric learning on Keras and TensorFlow.

The names below are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfretrieval._version import __version__
from tfretrieval.errors import UserError

if TYPE_CHECKING:
    from tfretrieval.data.catalog import Catalog
    from tfretrieval.embedding.keras_engine import KerasEngine
    from tfretrieval.embedding.openvino.engine import OpenVINOEngine
    from tfretrieval.embedding.store import Embeddings
    from tfretrieval.evaluation.evaluator import evaluate
    from tfretrieval.evaluation.result import Evaluation
    from tfretrieval.retrieval.faiss import FaissRetriever
    from tfretrieval.retrieval.index import Index
    from tfretrieval.retrieval.knn import KNNRetriever
    from tfretrieval.retrieval.settings import IndexSettings
    from tfretrieval.retrieval.transform import Transform
    from tfretrieval.runs import Run
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.training.fit import train
    from tfretrieval.workflows.export import export_saved_model
    from tfretrieval.workflows.study import run_study

_HOMES = {
    "Catalog": "data.catalog",
    "Embeddings": "embedding.store",
    "Evaluation": "evaluation.result",
    "FaissRetriever": "retrieval.faiss",
    "Index": "retrieval.index",
    "IndexSettings": "retrieval.settings",
    "KNNRetriever": "retrieval.knn",
    "KerasEngine": "embedding.keras_engine",
    "OpenVINOEngine": "embedding.openvino.engine",
    "Run": "runs",
    "TrainConfig": "training.config",
    "Transform": "retrieval.transform",
    "evaluate": "evaluation.evaluator",
    "export_saved_model": "workflows.export",
    "run_study": "workflows.study",
    "train": "training.fit",
}

__all__ = [
    "Catalog",
    "Embeddings",
    "Evaluation",
    "FaissRetriever",
    "Index",
    "IndexSettings",
    "KNNRetriever",
    "KerasEngine",
    "OpenVINOEngine",
    "Run",
    "TrainConfig",
    "Transform",
    "UserError",
    "__version__",
    "evaluate",
    "export_saved_model",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

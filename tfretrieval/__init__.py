"""Image retrieval and metric learning on Keras and TensorFlow.

The names below are imported on first use, so that importing the package is fast.
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
    from tfretrieval.retrieval.milvus.retriever import MilvusRetriever
    from tfretrieval.retrieval.neighbors import Neighbors
    from tfretrieval.retrieval.search_result import Hit, SearchResult, search_results
    from tfretrieval.retrieval.settings import FaissSettings, KNNSettings, MilvusSettings
    from tfretrieval.retrieval.transform import Transform
    from tfretrieval.runs import Run
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.training.fit import train
    from tfretrieval.workflows.export import export_saved_model
    from tfretrieval.workflows.study import run_study

_MODULES = {
    "Catalog": "data.catalog",
    "Embeddings": "embedding.store",
    "Evaluation": "evaluation.result",
    "FaissRetriever": "retrieval.faiss",
    "FaissSettings": "retrieval.settings",
    "Hit": "retrieval.search_result",
    "Index": "retrieval.index",
    "KNNRetriever": "retrieval.knn",
    "KNNSettings": "retrieval.settings",
    "KerasEngine": "embedding.keras_engine",
    "MilvusRetriever": "retrieval.milvus.retriever",
    "MilvusSettings": "retrieval.settings",
    "Neighbors": "retrieval.neighbors",
    "OpenVINOEngine": "embedding.openvino.engine",
    "Run": "runs",
    "SearchResult": "retrieval.search_result",
    "TrainConfig": "training.config",
    "Transform": "retrieval.transform",
    "evaluate": "evaluation.evaluator",
    "export_saved_model": "workflows.export",
    "run_study": "workflows.study",
    "search_results": "retrieval.search_result",
    "train": "training.fit",
}

__all__ = [
    "Catalog",
    "Embeddings",
    "Evaluation",
    "FaissRetriever",
    "FaissSettings",
    "Hit",
    "Index",
    "KNNRetriever",
    "KNNSettings",
    "KerasEngine",
    "MilvusRetriever",
    "MilvusSettings",
    "Neighbors",
    "OpenVINOEngine",
    "Run",
    "SearchResult",
    "TrainConfig",
    "Transform",
    "UserError",
    "__version__",
    "evaluate",
    "export_saved_model",
    "run_study",
    "search_results",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

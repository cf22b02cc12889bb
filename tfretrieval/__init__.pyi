from .data.catalog import Catalog
from .embedding.keras_engine import KerasEngine
from .embedding.openvino.engine import OpenVINOEngine
from .embedding.store import Embeddings
from .errors import UserError
from .evaluation.evaluator import evaluate
from .evaluation.result import Evaluation
from .retrieval.faiss import FaissRetriever
from .retrieval.index import Index
from .retrieval.knn import KNNRetriever
from .retrieval.milvus.retriever import MilvusRetriever
from .retrieval.neighbors import Neighbors
from .retrieval.search_result import Hit, SearchResult, search_results
from .retrieval.settings import FaissSettings, KNNSettings, MilvusSettings
from .retrieval.transform import Transform
from .runs import Run
from .training.config import TrainConfig
from .training.fit import train
from .workflows.export import export_saved_model
from .workflows.study import run_study

__version__: str
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
    "evaluate",
    "export_saved_model",
    "run_study",
    "search_results",
    "train",
]

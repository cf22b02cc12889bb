"""Retrieval evaluation: metrics, precision-recall curves, confusion matrix and bootstrap intervals."""

from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate"]

"""Honest numbers: metrics of rankings, curves, confusion, intervals, and `evaluate`, all at once."""

from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate"]

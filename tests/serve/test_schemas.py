"""Response models agree with the library's results."""

from __future__ import annotations

import dataclasses

import pytest
from pydantic import ValidationError

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.serve import schemas


def test_the_evaluation_model_has_the_fields_of_an_evaluation():
    fields = {field.name for field in dataclasses.fields(Evaluation)} - {"per_query", "provenance"}
    assert set(schemas.EvaluationResult.model_fields) == fields


def test_extra_keys_of_an_audit_are_dropped():
    issue = {"id": "a", "label": "x", "suggested_label": "y", "score": 0.5, "neighbors": [], "neighbor_labels": {}}
    assert "neighbor_labels" not in schemas.LabelIssue.model_validate(issue).model_dump()


def test_invalid_states_are_rejected():
    with pytest.raises(ValidationError):
        schemas.MapState(method="umap", state="lost", n=0, error="")

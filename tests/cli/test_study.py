"""`tfret study`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_study_compares_models_and_resumes(tfret, scenes, tmp_path):
    arguments = (
        "study", "--data", scenes, "--output", tmp_path / "s", "--models", "siamese,triplet", "--epochs", 1,
        "--steps-per-epoch", 1, "--json", "--image-size",
    )  # fmt: skip
    result = tfret(*arguments, 16).result
    assert [(row["model"], row["retriever"], row["pca"]) for row in result["rows"]] == [
        (model, retriever, pca)
        for model in ("siamese", "triplet")
        for retriever in ("knn", "faiss")
        for pca in (None, 0.95)
    ]
    assert Path(result["report"]).read_text(encoding="utf-8").count("<img") >= 10
    model = (tmp_path / "s" / "triplet" / "model.keras").read_bytes()
    again = tfret(*arguments, 16)
    for row, other in zip(json.loads(again.out)["rows"], result["rows"], strict=True):
        assert row | {"ms_per_query": 0} == other | {"ms_per_query": 0}  # times are measured again
    assert (tmp_path / "s" / "triplet" / "model.keras").read_bytes() == model
    changed = tfret(*arguments, 32)
    assert changed.code == 1
    assert "image_size" in changed.error
    assert (tmp_path / "s" / "triplet" / "model.keras").read_bytes() == model


def test_an_unknown_model_is_wrong_usage(tfret, tmp_path):
    outcome = tfret("study", "--data", "digits", "--models", "resnet,vgg", "--output", tmp_path / "s")
    assert outcome.code == 2
    assert "--models" in outcome.err

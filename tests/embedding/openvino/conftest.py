"""A small embedder and its converted model."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from tfretrieval.models.embedder import build_embedder


@pytest.fixture(scope="package")
def embedder() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_embedder("convnet", 24, 10, normalize=True)


@pytest.fixture(scope="package")
def converted(embedder, tmp_path_factory) -> Path:
    """The directory of the converted embedder, not to be changed."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    from tfretrieval.embedding.openvino.convert import save_openvino_model

    directory = tmp_path_factory.mktemp("engine") / "openvino"
    save_openvino_model(embedder, directory, "crop", {"model": "m"})
    return directory

"""The model and the data of a run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.workflows.gallery import run_catalog
from tfretrieval.workflows.model import load_model


def test_the_model_answers_identically_in_a_new_process(run, tmp_path):
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, numpy as np\n"
        "from tfretrieval.runs import Run\n"
        "from tfretrieval.workflows.model import load_model\n"
        "model = load_model(Run(sys.argv[1]))\n"
        "np.save(sys.argv[3], model(np.load(sys.argv[2]), training=False))\n"
    )
    arguments = [run.directory, tmp_path / "images.npy", tmp_path / "out.npy"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.asarray(load_model(run)(images, training=False)))


def test_the_catalog_is_the_one_of_the_training(run, catalog):
    assert run_catalog(run).fingerprint == catalog.fingerprint


def test_a_run_without_a_model(run):
    run.model_path.unlink()
    with pytest.raises(UserError, match="has no model yet"):
        load_model(run)

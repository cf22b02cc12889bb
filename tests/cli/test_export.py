"""`tfret export`."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from tfretrieval.embedding.store import Embeddings

QUICK = ("--epochs", 1, "--steps-per-epoch", 1, "--image-size", 16, "--images-per-class", 2, "--batch-size", 4)


def test_the_export_agrees_with_the_model_in_plain_tensorflow(tfret, run, scenes, tmp_path):
    result = tfret("export", "--run", run, "--output", tmp_path / "saved", "--json").result
    assert result["max_difference"] <= 1e-5
    tfret("embed", "--run", run)
    store = Embeddings.load(run / "embeddings/train")
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "files = tf.constant([open(path, 'rb').read() for path in sys.argv[3:]])\n"
        "np.save(sys.argv[2], model.signatures['encoded'](encoded_images=files)['embeddings'].numpy())\n"
        "assert 'keras' not in [m.split('.')[0] for m in sys.modules if m.startswith('tfretrieval')]\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "saved", tmp_path / "v.npy", *store.items.paths[:5]], check=True
    )
    embeddings = np.load(tmp_path / "v.npy")
    np.testing.assert_allclose(embeddings, store.vectors[:5], atol=1e-5 * np.abs(store.vectors).max())


def test_an_unwritable_output_is_an_error(tfret, run, scenes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "file" in tfret("export", "--run", run, "--output", tmp_path / "file" / "x").failure
    line = tfret("train", "triplet", "--data", scenes, "--run", tmp_path / "file" / "x", *QUICK).failure
    assert "file" in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_with_other_files_is_not_replaced(tfret, run, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("precious")
    assert "photos" in tfret("export", "--run", run, "--output", tmp_path / "photos").failure
    assert (tmp_path / "photos" / "a.txt").exists()

"""Tests of unfinished embedding stores."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.partial import PartialStore
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

PROVENANCE = {"engine": "test", "model": "m"}
CATALOG = Catalog.from_lists(list("abcde"), [0, 0, 1, 1, 1], ["x", "y"], list("ttttt"))
VECTORS = np.arange(15, dtype=np.float32).reshape(5, 3)


def test_finished_store_has_the_vectors_at_their_rows(tmp_path):
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.array([3, 0]), VECTORS[[3, 0]])
        np.testing.assert_array_equal(np.flatnonzero(~partial.done), [1, 2, 4])
        partial.put(np.array([1, 2, 4]), VECTORS[[1, 2, 4]])
        store = partial.finish(CATALOG)
    np.testing.assert_array_equal(store.vectors, VECTORS)
    assert isinstance(store.vectors, np.memmap)
    assert store.provenance == PROVENANCE
    assert store.fingerprint == Embeddings(CATALOG, VECTORS).fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_interrupted_store_is_resumed(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.array([4, 1]), VECTORS[[4, 1]])
        raise KeyboardInterrupt
    assert not (tmp_path / "s").exists()
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        np.testing.assert_array_equal(np.flatnonzero(~partial.done), [0, 2, 3])
        partial.put(np.flatnonzero(~partial.done), VECTORS[[0, 2, 3]])
        np.testing.assert_array_equal(partial.finish(CATALOG).vectors, VECTORS)


def test_store_of_a_killed_process_is_resumed(tmp_path):
    code = f"""
        import os, numpy as np
        from tfretrieval.embedding import partial
        partial.SECONDS_BETWEEN_FLUSHES = 0
        store = partial.PartialStore(__import__("pathlib").Path({str(tmp_path / "s")!r}), 5, 3, {PROVENANCE})
        store.put(np.array([2]), np.full((1, 3), 7, np.float32))
        os._exit(9)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)]).returncode == 9
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        np.testing.assert_array_equal(np.flatnonzero(~partial.done), [0, 1, 3, 4])
        partial.put(np.flatnonzero(~partial.done), VECTORS[[0, 1, 3, 4]])
        assert (partial.finish(CATALOG).vectors[2] == 7).all()


@pytest.mark.parametrize(("n", "dim", "model"), [(5, 3, "other"), (5, 4, "m"), (6, 3, "m")])
def test_store_of_other_provenance_or_shape_is_started_over(tmp_path, n, dim, model):
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.arange(5), VECTORS)
    with PartialStore(tmp_path / "s", n, dim, {**PROVENANCE, "model": model}) as partial:
        assert len(np.flatnonzero(~partial.done)) == n


@pytest.mark.parametrize("missing", ["vectors.npy", "done.npy", "partial.json"])
def test_store_with_a_missing_file_is_started_over(tmp_path, missing):
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.arange(5), VECTORS)
    (tmp_path / ".partial-s" / missing).unlink()
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        assert len(np.flatnonzero(~partial.done)) == 5


def test_missing_rows_are_excluded(tmp_path):
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.array([0, 2, 3]), VECTORS[[0, 2, 3]])
        store = partial.finish(CATALOG.subset(partial.done))
    np.testing.assert_array_equal(store.vectors, VECTORS[[0, 2, 3]])
    assert list(store.items.ids) == ["a", "c", "d"]


def test_vectors_that_are_not_finite_keep_the_previous_store(tmp_path):
    Embeddings(CATALOG, VECTORS).save(tmp_path / "s")
    with PartialStore(tmp_path / "s", 5, 3, PROVENANCE) as partial:
        partial.put(np.arange(5), np.full((5, 3), np.nan, np.float32))
        with pytest.raises(UserError, match="NaN"):
            partial.finish(CATALOG)
    np.testing.assert_array_equal(Embeddings.load(tmp_path / "s").vectors, VECTORS)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot allocate disk space")
def test_full_disk_is_an_error_before_work_starts(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="No space left"):
        PartialStore(tmp_path / "s", 5, 3, PROVENANCE)
    assert list(tmp_path.iterdir()) == []

"""A store in the making: nothing is lost, nothing is mixed, nothing half-written is taken for whole."""

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
from tfretrieval.embedding import partial as module
from tfretrieval.embedding.partial import PartialStore
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

MADE_FROM = {"engine": "test", "model": "m"}
CATALOG = Catalog.from_lists(list("abcde"), [0, 0, 1, 1, 1], ["x", "y"], list("ttttt"))
VECTORS = np.arange(15, dtype=np.float32).reshape(5, 3)


def test_what_is_put_is_in_the_store_at_its_row(tmp_path):
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.array([3, 0]), VECTORS[[3, 0]])
        np.testing.assert_array_equal(partial.missing(), [1, 2, 4])
        partial.put(np.array([1, 2, 4]), VECTORS[[1, 2, 4]])
        store = partial.finish(CATALOG)
    np.testing.assert_array_equal(store.vectors, VECTORS)
    assert isinstance(store.vectors, np.memmap)
    assert store.made_from == MADE_FROM
    assert store.fingerprint == Embeddings.of_catalog(VECTORS, CATALOG).fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_it_goes_on_where_it_was_interrupted(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.array([4, 1]), VECTORS[[4, 1]])
        raise KeyboardInterrupt
    assert not (tmp_path / "s").exists()
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        np.testing.assert_array_equal(partial.missing(), [0, 2, 3])
        partial.put(partial.missing(), VECTORS[[0, 2, 3]])
        np.testing.assert_array_equal(partial.finish(CATALOG).vectors, VECTORS)


def test_it_goes_on_after_a_kill(tmp_path):
    code = f"""
        import os, numpy as np
        from tfretrieval.embedding import partial
        partial.SECONDS_BETWEEN_FLUSHES = 0
        store = partial.PartialStore(__import__("pathlib").Path({str(tmp_path / "s")!r}), 5, 3, {MADE_FROM})
        store.put(np.array([2]), np.full((1, 3), 7, np.float32))
        os._exit(9)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)]).returncode == 9
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        np.testing.assert_array_equal(partial.missing(), [0, 1, 3, 4])
        partial.put(partial.missing(), VECTORS[[0, 1, 3, 4]])
        assert (partial.finish(CATALOG).vectors[2] == 7).all()


@pytest.mark.parametrize(("n", "dim", "model"), [(5, 3, "other"), (5, 4, "m"), (6, 3, "m")])
def test_what_was_made_from_something_else_is_thrown_away(tmp_path, n, dim, model):
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.arange(5), VECTORS)
    with PartialStore(tmp_path / "s", n, dim, {**MADE_FROM, "model": model}) as partial:
        assert len(partial.missing()) == n


@pytest.mark.parametrize("lost", ["vectors.npy", "done.npy", "partial.json"])
def test_a_part_without_one_of_its_files_begins_anew(tmp_path, lost):
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.arange(5), VECTORS)
    (tmp_path / ".partial-s" / lost).unlink()
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        assert len(partial.missing()) == 5


def test_rows_that_never_came_are_left_out(tmp_path):
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.array([0, 2, 3]), VECTORS[[0, 2, 3]])
        store = partial.finish(CATALOG.subset(partial.done))
    np.testing.assert_array_equal(store.vectors, VECTORS[[0, 2, 3]])
    assert list(store.ids) == ["a", "c", "d"]


def test_vectors_that_are_no_numbers_leave_the_older_store_alone(tmp_path):
    Embeddings.of_catalog(VECTORS, CATALOG).save(tmp_path / "s")
    with PartialStore(tmp_path / "s", 5, 3, MADE_FROM) as partial:
        partial.put(np.arange(5), np.full((5, 3), np.nan, np.float32))
        with pytest.raises(UserError, match="NaN"):
            partial.finish(CATALOG)
    np.testing.assert_array_equal(Embeddings.load(tmp_path / "s").vectors, VECTORS)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room")
def test_a_full_disk_is_told_before_the_work_begins(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        PartialStore(tmp_path / "s", 5, 3, MADE_FROM)
    assert list(tmp_path.iterdir()) == []

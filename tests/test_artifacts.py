"""Headers, fingerprints and the errors of missing and corrupt artifacts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfretrieval.artifacts import (
    SAMPLED_BLOCK_BYTES,
    SAMPLED_BLOCKS,
    ArtifactType,
    CorruptArtifact,
    MissingArtifact,
    file_fingerprint,
    sampled_fingerprint,
)
from tfretrieval.errors import UserError

THING = ArtifactType("thing", "thing.json", 3, "rebuild it with `tfret thing`")


def test_a_header_comes_back_with_its_format(tmp_path):
    with THING.replaced(tmp_path / "t") as directory:
        THING.write_header(directory, {"n": 5})
    assert THING.exists(tmp_path / "t")
    assert THING.read_header(tmp_path / "t") == {"format": 3, "n": 5}


def test_a_missing_artifact_names_its_remedy(tmp_path):
    with pytest.raises(MissingArtifact) as error:
        THING.read_header(tmp_path)
    assert error.value.remedy == THING.remedy
    assert not THING.exists(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"format": 2}), "\x00"])
def test_headers_that_cannot_be_read_or_have_another_format_are_corrupt(tmp_path, content):
    (tmp_path / "thing.json").write_text(content)
    with pytest.raises(CorruptArtifact) as error:
        THING.read_header(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("raised", [OSError("x"), KeyError("x"), ValueError("a\nb"), UserError("x"), EOFError()])
def test_errors_of_reading_become_corrupt_artifacts(tmp_path, raised):
    with pytest.raises(CorruptArtifact) as error, THING.reading(tmp_path):
        raise raised
    assert "\n" not in str(error.value)


def test_the_error_of_a_nested_artifact_passes_through(tmp_path):
    with pytest.raises(MissingArtifact), THING.reading(tmp_path):
        ArtifactType("part", "part.json", 1, "").read_header(tmp_path)


def test_fingerprints_depend_on_the_content(tmp_path):
    content = np.random.default_rng(0).integers(0, 255, 3 * SAMPLED_BLOCK_BYTES * SAMPLED_BLOCKS, np.uint8)
    path, seen = tmp_path / "file", set()
    positions = (None, 0, len(content) - 1, (len(content) - SAMPLED_BLOCK_BYTES) // (SAMPLED_BLOCKS - 1) + 5)
    for position in positions:
        changed = content.copy()
        if position is not None:
            changed[position] ^= 1
        path.write_bytes(changed.tobytes())
        seen |= {sampled_fingerprint(path), file_fingerprint(path)}
    path.write_bytes(content[:-1].tobytes())
    assert len(seen | {sampled_fingerprint(path)}) == 2 * len(positions) + 1
    path.write_bytes(b"small")
    small = sampled_fingerprint(path)
    path.write_bytes(b"smalL")
    assert sampled_fingerprint(path) != small

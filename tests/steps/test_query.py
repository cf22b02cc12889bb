"""From pictures to their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.steps.query import query_run


def test_a_gallery_picture_finds_itself_first(run, catalog):
    pictures = sorted(p for p in catalog.split("train").paths)[:3]
    from pathlib import Path

    answers = query_run(run, catalog, [Path(p) for p in pictures], k=4)
    assert [answer["image"] for answer in answers] == pictures
    for answer in answers:
        assert answer["neighbours"][0]["path"] == answer["image"]
        assert [n["rank"] for n in answer["neighbours"]] == [1, 2, 3, 4]
        distances = [n["distance"] for n in answer["neighbours"]]
        assert distances == sorted(distances)
        labels = [n["label"] for n in answer["neighbours"]]
        assert labels.count(answer["vote"]) == max(labels.count(name) for name in labels)


def test_the_same_picture_twice_is_answered_twice(run, catalog):
    from pathlib import Path

    picture = Path(catalog.split("test").paths[0])
    one, other = query_run(run, catalog, [picture, picture], k=2, retriever="faiss")
    assert one == other
    assert one["neighbours"][0]["distance"] == pytest.approx(np.float32(one["neighbours"][0]["distance"]))

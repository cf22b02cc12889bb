import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.retrieval.distances import all_distances, pair_distances
from tfretrieval.retrieval.order import in_order, nearest_first


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_both_ways_sort_by_distance_and_then_by_row(seed, k):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 4, (6, k)).astype(np.float32) / 3
    rows = np.array([rng.permutation(k) for _ in range(6)])
    expected = [sorted(zip(d.tolist(), r.tolist())) for d, r in zip(distances, rows)]
    near, order = in_order(distances, rows)
    assert [list(zip(d.tolist(), r.tolist())) for d, r in zip(near, order)] == expected
    np.testing.assert_array_equal(nearest_first(distances), np.argsort(distances, axis=-1, kind="stable"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, width=32), min_size=1, max_size=50))
def test_distances_of_any_size_come_in_order_and_infinity_last(values):
    distances = np.array(values, np.float32)
    np.testing.assert_array_equal(nearest_first(distances), np.argsort(distances, kind="stable"))


def test_a_pair_has_one_distance_wherever_it_is_asked_for():
    rng = np.random.default_rng(0)
    for d in (1, 2, 4, 7, 12, 64, 130):
        gallery = rng.normal(size=(3000, d)).astype(np.float32)
        queries = rng.normal(size=(5, d)).astype(np.float32)
        rows = rng.integers(0, 3000, (5, 40))
        for metric in ("euclidean", "cosine"):
            every = all_distances(queries, gallery, metric)
            np.testing.assert_array_equal(
                pair_distances(queries, gallery, rows, metric), np.take_along_axis(every, rows, axis=1)
            )
        truth = np.linalg.norm(queries[:, None].astype(np.float64) - gallery, axis=2)
        np.testing.assert_allclose(all_distances(queries, gallery, "euclidean"), truth, rtol=1e-6)

"""Defaults of Milvus indexes and searches."""

import pytest

from tfretrieval.retrieval.milvus.parameters import INDEX_TYPES, with_index_defaults, with_search_defaults


@pytest.mark.parametrize("index_type", INDEX_TYPES)
def test_given_index_parameters_win(index_type):
    params = with_index_defaults({"nlist": 7, "M": 3}, index_type, n=10_000, dim=30)
    assert (params["nlist"], params["M"]) == (7, 3)


def test_number_of_lists_grows_with_the_root_of_the_gallery():
    assert with_index_defaults(None, "IVF_FLAT", n=10_000, dim=8) == {"nlist": 400}
    assert with_index_defaults(None, "IVF_FLAT", n=1, dim=8) == {"nlist": 4}
    assert with_index_defaults(None, "IVF_FLAT", n=10**12, dim=8) == {"nlist": 65_536}


def test_product_quantizer_divides_the_dimension():
    assert with_index_defaults(None, "IVF_PQ", n=10_000, dim=30)["m"] == 6
    assert with_index_defaults(None, "IVF_PQ", n=10_000, dim=7)["m"] == 1


def test_ef_is_at_least_k_and_grows_with_a_selective_filter():
    def ef(k, n_matching, params=None):
        return with_search_defaults(params, "HNSW", k, n_items=100_000, n_matching=n_matching, nlist=None)["ef"]

    assert ef(10, 100_000) == 64
    assert ef(100, 100_000) == 200
    assert ef(100, 100_000, {"ef": 5}) == 100
    assert ef(10, 1_000) == 16_000
    assert ef(10, 10) == 32_768


def test_exact_indexes_have_no_search_parameters():
    assert with_search_defaults(None, "FLAT", k=10, n_items=100, n_matching=5, nlist=None) == {}

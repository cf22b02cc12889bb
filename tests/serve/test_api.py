"""Responses of the HTTP API."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tfretrieval.serve.maps import METHODS


def test_the_collection_is_described(client, service):
    response = client.get("/api/collection").json()
    gallery = service.collection.gallery
    assert (response["n_gallery"], response["dim"]) == (len(gallery), gallery.dim)
    assert response["class_counts"] == np.bincount(gallery.items.labels).tolist()
    assert list(response["retrievers"]) == response["evaluated"] == ["knn", "faiss"]
    assert "/" not in response["facts"]["Data"]


def test_items_are_those_of_the_gallery(client, service):
    response = client.get("/api/items").json()
    assert response["ids"] == list(service.collection.gallery.items.ids)
    assert response["labels"] == service.collection.gallery.items.labels.tolist()


def test_an_upload_gives_the_neighbors_of_its_embedding(client, service, query_file):
    response = client.post(
        "/api/search", files={"image": query_file.read_bytes()}, data={"k": 7, "by": ["knn", "faiss"]}
    )
    queries = service.collection.queries
    for result in response.json()["results"]:
        index = service.collection.indexes[result["retriever"]]
        neighbors = index.search(queries.vectors[:1], 7)
        hits = result["hits"]
        assert [item["row"] for item in hits] == neighbors.rows[0].tolist()
        assert [item["rank"] for item in hits] == list(range(1, 8))
        np.testing.assert_allclose([item["distance"] for item in hits], neighbors.distances[0], rtol=5e-3)  # bfloat16
        assert [item["id"] for item in hits] == list(service.collection.gallery.items.ids[neighbors.rows[0]])


def test_a_gallery_item_is_excluded_from_its_results(client, service):
    name = str(service.collection.gallery.items.ids[3])
    response = client.get("/api/search", params={"id": name, "k": 9, "by": ["knn", "knn:expansion", "knn:reciprocal"]})
    for result in response.json()["results"]:
        assert len(result["hits"]) == 9
        assert name not in [item["id"] for item in result["hits"]]


def test_head_requests_are_answered_without_a_body(client):
    for path in ("/api/health", "/api/ready", "/api/collection", "/metrics", "/"):
        full, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == full.headers["content-type"]
    assert client.head("/api/search").status_code == 422


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/api/search", "id"),
        ("/api/search?id=a&k=201", "200"),
        ("/api/search?id=a&k=0", "greater than or equal to 1"),
        ("/api/search?id=a&k=x", "k: Input should be a valid integer"),
        ("/api/search?id=", "id: String should have at least 1 character"),
        (f"/api/search?id={'a' * 5000}", "4096"),
        ("/api/search?id=a&by=..", "by"),
        ("/api/evaluation/knn/confused?class=zz&nearest=zz", "zz"),
    ],
)
def test_invalid_parameters_are_rejected_by_name(client, path, reason):
    response = client.get(path)
    assert response.status_code in (404, 422)
    assert list(response.json()) == ["error"]
    assert reason in response.json()["error"]


def test_results_can_be_limited_to_classes(client, service):
    name = str(service.collection.queries.items.ids[0])
    wanted = list(service.collection.gallery.items.class_names[3:6:2])
    for by in ("knn", "faiss", "knn:reciprocal", "faiss:expansion"):
        response = client.get("/api/search", params={"id": name, "k": 20, "by": by, "class": wanted}).json()
        assert {item["label"] for item in response["results"][0]["hits"]} <= set(wanted)
        assert len(response["results"][0]["hits"]) == 20


def test_an_item_has_a_description_a_file_and_a_thumbnail(client, service, query_file):
    name = str(service.collection.queries.items.ids[0])
    item = client.get("/api/item", params={"id": name}).json()
    assert (item["id"], item["in_gallery"]) == (name, False)
    assert item["label"] == service.collection.queries.items.class_of(0)
    image = client.get("/api/item/image", params={"id": name})
    kind = {".png": "image/png", ".jpg": "image/jpeg"}[query_file.suffix]
    assert (image.content, image.headers["content-type"]) == (query_file.read_bytes(), kind)
    small = client.get("/api/item/thumbnail", params={"id": name, "side": 32})
    with Image.open(io.BytesIO(small.content)) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 32


def test_the_stored_evaluation_is_returned(client, service):
    evaluation = service.collection.evaluations["knn"]
    response = client.get("/api/evaluation/knn").json()
    assert response["metrics"] == pytest.approx(evaluation.metrics)
    assert response["confusion"] == evaluation.confusion.tolist()
    assert set(response["curves"]) == set(evaluation.curves)


def test_confused_queries_match_the_confusion_matrix(client, service):
    evaluation = service.collection.evaluations["knn"]
    for i, j in zip(*np.nonzero(evaluation.confusion)):
        names = {"class": evaluation.class_names[i], "nearest": evaluation.class_names[j], "n": 500}
        response = client.get("/api/evaluation/knn/confused", params=names).json()
        assert response["total"] == len(response["queries"]) == evaluation.confusion[i, j]
        assert {query["label"] for query in response["queries"]} == {evaluation.class_names[i]}
        assert {query["nearest_label"] for query in response["queries"]} == {evaluation.class_names[j]}


def test_hardest_queries_are_sorted_by_average_precision(client, service):
    precisions = [q["average_precision"] for q in client.get("/api/evaluation/knn/hardest").json()["queries"]]
    worst = np.sort(service.collection.evaluations["knn"].per_query["average_precision"])
    np.testing.assert_allclose(precisions, worst[: len(precisions)])


def test_confused_pairs_are_sorted_by_count(client, service):
    counts = service.collection.evaluations["knn"].confusion.copy()
    np.fill_diagonal(counts, 0)
    pairs = client.get("/api/evaluation/knn/pairs").json()["pairs"]
    assert pairs[0]["count"] == counts.max()
    assert [pair["count"] for pair in pairs] == sorted((pair["count"] for pair in pairs), reverse=True)


def test_a_map_has_a_point_per_item_and_a_position_of_the_query(client, service):
    for method in METHODS:
        assert service.maps[method].result(120) is not None
        state = client.get(f"/api/map/{method}").json()
        assert (state["state"], state["n"]) == ("ready", len(service.collection.gallery))
        data = client.get(f"/api/map/{method}/points").content
        rows = np.frombuffer(data, "<i4", state["n"])
        points = np.frombuffer(data, "<f4", offset=4 * state["n"]).reshape(-1, 2)
        assert rows.tolist() == list(range(state["n"]))
        assert np.abs(points).max() == pytest.approx(1, abs=1e-5)
        response = client.get("/api/search", params={"id": str(service.collection.queries.items.ids[0]), "k": 5}).json()
        nearest = [item["row"] for item in response["results"][0]["hits"]]
        assert min(np.linalg.norm(points[nearest] - response["positions"][method], axis=1)) < 1e-6


def test_health_readiness_and_metrics(client):
    assert client.get("/api/health").json() == {"status": "ok"}
    assert client.get("/api/ready").json() == {"status": "ok"}
    before = count_not_found(client)
    client.get("/api/item", params={"id": "nobody"})
    assert count_not_found(client) == before + 1


def count_not_found(client) -> float:
    line = 'tfret_requests_total{method="GET",route="/api/item",status="404"} '
    page = client.get("/metrics").text
    return next((float(row.removeprefix(line)) for row in page.splitlines() if row.startswith(line)), 0.0)


def test_every_response_has_security_headers(client):
    for path in ("/", "/api/collection", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_audit_result_is_returned(client, service):
    result = service.audit.result(240)
    response = client.get("/api/audit").json()
    assert response["state"] == "ready"
    assert response["n_label_issues"] == result["n_label_issues"] > 0
    assert [issue["id"] for issue in response["label_issues"]] == [issue["id"] for issue in result["label_issues"]]
    groups = [[item["id"] for item in group["items"]] for group in response["duplicates"]]
    assert groups == [group["ids"] for group in (*result["duplicates"], *result["near_duplicates"])]

"""What the HTTP interface answers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tfretrieval.serve.maps import METHODS


def test_what_can_be_searched(client, service):
    answer = client.get("/api/collection").json()
    gallery = service.collection.gallery
    assert (answer["n_gallery"], answer["dim"]) == (len(gallery), gallery.dim)
    assert answer["class_counts"] == np.bincount(gallery.labels).tolist()
    assert list(answer["retrievers"]) == answer["evaluated"] == ["knn", "faiss"]
    assert "/" not in answer["facts"]["Data"]


def test_the_items_are_the_gallerys(client, service):
    answer = client.get("/api/items").json()
    assert answer["ids"] == list(service.collection.gallery.ids)
    assert answer["labels"] == service.collection.gallery.labels.tolist()


def test_an_upload_finds_what_its_vector_finds(client, service, query_file):
    found = client.post("/api/search", files={"image": query_file.read_bytes()}, data={"k": 7, "by": ["knn", "faiss"]})
    queries = service.collection.queries
    for answer in found.json()["answers"]:
        index = service.collection.indexes[answer["retriever"]]
        distances, rows = index.search(queries.vectors[:1], 7)
        near = answer["neighbors"]
        assert [item["row"] for item in near] == rows[0].tolist()
        assert [item["rank"] for item in near] == list(range(1, 8))
        np.testing.assert_allclose([item["distance"] for item in near], distances[0], rtol=5e-3)  # bfloat16
        assert [item["id"] for item in near] == list(service.collection.gallery.ids[rows[0]])


def test_an_item_of_the_gallery_does_not_find_itself(client, service):
    name = str(service.collection.gallery.ids[3])
    found = client.get("/api/search", params={"id": name, "k": 9, "by": ["knn", "knn:expansion", "knn:reciprocal"]})
    for answer in found.json()["answers"]:
        assert len(answer["neighbors"]) == 9
        assert name not in [item["id"] for item in answer["neighbors"]]


def test_who_asks_for_heads_gets_heads(client):
    for path in ("/api/health", "/api/ready", "/api/collection", "/metrics", "/"):
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert client.head("/api/search").status_code == 422


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/api/search", "id: is missing"),
        ("/api/search?id=a&k=201", "k: 200 is the most"),
        ("/api/search?id=a&k=0", "k: 1 is the least"),
        ("/api/search?id=a&k=x", "k: give a whole number"),
        ("/api/search?id=", "id: it is empty"),
        (f"/api/search?id={'a' * 5000}", "id: 4096 characters are the most"),
        ("/api/search?id=a&by=..", "by: give a retriever, or retriever:re-ranker, such as faiss:expansion"),
        ("/api/evaluation/knn/confused?class=zz&nearest=zz", "there is no class 'zz'"),
    ],
)
def test_a_refusal_says_what_would_be_right(client, path, reason):
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert answer.json() == {"error": reason}


def test_only_wanted_classes_are_found(client, service):
    name = str(service.collection.queries.ids[0])
    wanted = list(service.collection.gallery.class_names[3:6:2])
    for by in ("knn", "faiss", "knn:reciprocal", "faiss:expansion"):
        answer = client.get("/api/search", params={"id": name, "k": 20, "by": by, "class": wanted}).json()
        assert {item["label"] for item in answer["answers"][0]["neighbors"]} <= set(wanted)
        assert len(answer["answers"][0]["neighbors"]) == 20


def test_an_item_is_described_and_shown(client, service, query_file):
    name = str(service.collection.queries.ids[0])
    item = client.get("/api/item", params={"id": name}).json()
    assert (item["id"], item["in_gallery"]) == (name, False)
    assert item["label"] == service.collection.class_of(service.collection.queries, 0)
    image = client.get("/api/item/image", params={"id": name})
    kind = {".png": "image/png", ".jpg": "image/jpeg"}[query_file.suffix]
    assert (image.content, image.headers["content-type"]) == (query_file.read_bytes(), kind)
    small = client.get("/api/item/thumbnail", params={"id": name, "side": 32})
    with Image.open(io.BytesIO(small.content)) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 32


def test_the_evaluation_is_the_one_that_was_kept(client, service):
    kept = service.collection.evaluations["knn"]
    answer = client.get("/api/evaluation/knn").json()
    assert answer["metrics"] == pytest.approx(kept.metrics)
    assert answer["confusion"] == kept.confusion.tolist()
    assert set(answer["curves"]) == set(kept.curves)


def test_cells_of_the_confusion_hold_as_many_queries_as_they_say(client, service):
    kept = service.collection.evaluations["knn"]
    for i, j in zip(*np.nonzero(kept.confusion)):
        names = {"class": kept.class_names[i], "nearest": kept.class_names[j], "n": 500}
        answer = client.get("/api/evaluation/knn/confused", params=names).json()
        assert answer["total"] == len(answer["queries"]) == kept.confusion[i, j]
        assert {query["label"] for query in answer["queries"]} == {kept.class_names[i]}
        assert {query["nearest_label"] for query in answer["queries"]} == {kept.class_names[j]}


def test_the_hardest_queries_come_first(client, service):
    precisions = [q["average_precision"] for q in client.get("/api/evaluation/knn/hardest").json()["queries"]]
    worst = np.sort(service.collection.evaluations["knn"].per_query["average_precision"])
    np.testing.assert_allclose(precisions, worst[: len(precisions)])


def test_the_most_confused_pair_is_the_greatest_cell_off_the_diagonal(client, service):
    counts = service.collection.evaluations["knn"].confusion.copy()
    np.fill_diagonal(counts, 0)
    pairs = client.get("/api/evaluation/knn/pairs").json()["pairs"]
    assert pairs[0]["count"] == counts.max()
    assert [pair["count"] for pair in pairs] == sorted((pair["count"] for pair in pairs), reverse=True)


def test_a_map_has_a_point_for_each_item_and_a_place_for_a_query(client, service):
    for method in METHODS:
        assert service.maps[method].value(120) is not None
        state = client.get(f"/api/map/{method}").json()
        assert (state["state"], state["n"]) == ("ready", len(service.collection.gallery))
        data = client.get(f"/api/map/{method}/points").content
        rows = np.frombuffer(data, "<i4", state["n"])
        points = np.frombuffer(data, "<f4", offset=4 * state["n"]).reshape(-1, 2)
        assert rows.tolist() == list(range(state["n"]))
        assert np.abs(points).max() == pytest.approx(1, abs=1e-5)
        found = client.get("/api/search", params={"id": str(service.collection.queries.ids[0]), "k": 5}).json()
        nearest = [item["row"] for item in found["answers"][0]["neighbors"]]
        assert min(np.linalg.norm(points[nearest] - found["places"][method], axis=1)) < 1e-6


def test_it_says_how_it_is(client):
    assert client.get("/api/health").json() == {"status": "ok"}
    assert client.get("/api/ready").json() == {"status": "ok"}
    before = counted(client)
    client.get("/api/item", params={"id": "nobody"})
    assert counted(client) == before + 1


def counted(client) -> float:
    line = 'tfret_requests_total{method="GET",route="/api/item",status="404"} '
    page = client.get("/metrics").text
    return next((float(row.removeprefix(line)) for row in page.splitlines() if row.startswith(line)), 0.0)


def test_every_answer_tells_browsers_to_keep_out_strangers(client):
    for path in ("/", "/api/collection", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_audit_finds_what_it_finds_without_a_server(client, service):
    found = service.audit.value(240)
    answer = client.get("/api/audit").json()
    assert answer["state"] == "ready"
    assert answer["n_suspects"] == found["n_suspects"] > 0
    assert [one["id"] for one in answer["suspects"]] == [one["id"] for one in found["suspects"]]
    twins = [[item["id"] for item in group["items"]] for group in answer["twins"]]
    assert twins == [group["ids"] for group in (*found["duplicates"], *found["near_duplicates"])]

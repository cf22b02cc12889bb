"""`tfret query`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_a_gallery_image_is_its_own_nearest_neighbor(tfret, run, scenes, tmp_path):
    image = sorted((scenes / "train").rglob("*.png"))[0]
    arguments = ("query", image, "--run", run, "-k", 3, "--figure", tmp_path / "f.png")
    result = tfret(*arguments, "--json").result["results"][0]
    assert result["hits"][0]["id"] == image.relative_to(scenes).as_posix()
    assert result["hits"][0]["distance"] == pytest.approx(0, abs=1e-3)
    assert (tmp_path / "f.png").stat().st_size > 1000
    assert image.name in tfret(*arguments).out


def test_milvus_agrees_with_faiss(tfret, run, scenes, tmp_path):
    pytest.importorskip("milvus_lite", reason="Milvus is not installed: pip install '.[milvus]'")
    place = ("--uri", tmp_path / "v.db", "--collection", "scenes")
    built = tfret("index", "--run", run, "--retriever", "milvus", *place, "--json").result
    assert (built["n"], built["exact"], built["collection"], built["index_type"]) == (18, True, "scenes", "FLAT")
    milvus, faiss = (
        tfret("evaluate", "--run", run, "--retriever", kind, "--json").result for kind in ("milvus", "faiss")
    )
    assert milvus["metrics"] == pytest.approx(faiss["metrics"], abs=1e-4)
    image = scenes / "test" / "sea" / "0.png"
    for only in ((), ("--class", "town"), ("--class", "town", "--class", "field")):
        arguments = ("query", image, "--run", run, "-k", 4, *only, "--json")
        by_milvus, by_faiss = (
            tfret(*arguments, "--retriever", kind).result["results"][0]["hits"] for kind in ("milvus", "faiss")
        )
        assert [item["id"] for item in by_milvus] == [item["id"] for item in by_faiss]
        assert not only or {item["label"] for item in by_milvus} <= set(only)


def test_more_neighbors_than_gallery_items_is_an_error(tfret, run, scenes, images):
    line = tfret("query", images(scenes)[0], "--run", run, "-k", 1000).failure
    assert "18" in line
    assert "18" in tfret("evaluate", "--run", run, "-k", 1000).failure


def test_a_missing_or_unreadable_image_is_an_error(tfret, run, tmp_path):
    assert "gone.jpg" in tfret("query", tmp_path / "gone.jpg", "--run", run).failure
    assert str(tmp_path) in tfret("query", tmp_path, "--run", run).failure
    (tmp_path / "text.jpg").write_text("no image")
    assert "text.jpg" in tfret("query", tmp_path / "text.jpg", "--run", run).failure


def test_skipped_images_are_listed(tfret, data, run, tmp_path, images):
    broken, readable = tmp_path / "text.jpg", images(data)[0]
    broken.write_text("no image")
    outcome = tfret("query", broken, readable, "--run", run, "--on-error", "skip", "--json")
    output = outcome.result
    assert output["skipped"] == [str(broken)]
    assert [result["path"] for result in output["results"]] == [str(readable)]


def test_an_unknown_class_or_split_is_an_error(tfret, data, run, images):
    image = images(data)[0]
    assert "field, sea, town" in tfret("query", image, "--run", run, "--class", "nope").failure
    assert "'nope'" in tfret("query", image, "--run", run, "--split", "nope").failure


@pytest.mark.parametrize("name", ["index.json", "transform/transform.json", "retriever/retriever.json"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_text("{")], ids=["gone", "half"])
def test_a_damaged_index_names_the_command_that_rebuilds_it(tfret, data, run, name, harm, images):
    assert tfret("index", "--retriever", "knn", "--run", run).code == 0
    harm(run / "index/knn" / name)
    line = tfret("query", "--retriever", "knn", images(data)[0], "--run", run).failure
    assert Path(name).name in line
    assert f"tfret index --run {run} --retriever knn" in line


def test_a_damaged_model_is_reported_in_one_line(tfret, data, run, images, truncate):
    assert tfret("index", "--run", run).code == 0
    truncate(run / "model.keras")
    outcome = tfret("query", images(data)[0], "--run", run)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "model.keras" in outcome.error


def test_a_figure_must_be_png_or_svg(tfret, run, data, images, tree_of):
    photo = images(data)[0].rename(data / "photo.jpg")
    before = tree_of(data)
    assert tfret("query", photo, "--run", run, "-k", 1, "--figure", photo).code == 2
    assert tree_of(data) == before


def test_a_query_imports_little(tfret, run, scenes):
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")
    tfret("embed", "--run", run, "--split", "train", "--engine", "openvino")
    tfret("index", "--run", run)
    code = "import sys\nfrom tfretrieval.cli import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "query", str(scenes / "test" / "sea" / "0.png"), "--run", str(run)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert not {"tensorflow", "keras", "sklearn", "pandas", "matplotlib"} & modules
    assert not [name for name in modules if name.startswith(("tfretrieval.training", "tfretrieval.retrieval.milvus"))]
    assert len([name for name in modules if name.startswith("tfretrieval")]) <= 45

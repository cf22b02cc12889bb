"""Each command does its work, and with --json stdout holds one JSON object and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.cli import COMMANDS
from tfretrieval.embedding.store import Embeddings

QUICK = ("--epochs", 2, "--steps-per-epoch", 2, "--image-size", 16, "--images-per-class", 3, "--batch-size", 4)


def result_of(outcome) -> dict:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_a_line_in_the_list(tfret, command):
    assert COMMANDS[command] in tfret("--help").out
    outcome = tfret(command, "--help")
    assert outcome.code == 0
    assert COMMANDS[command].rstrip(".") in " ".join(outcome.out.split())


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tfretrieval.cli import tfret; tfret.main(['--help'], standalone_mode=False); "
        "print(sorted(sys.modules))"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [
        name for name in ("tensorflow", "keras", "numpy", "sklearn", "matplotlib", "faiss") if f"'{name}'" in modules
    ]


def test_version(tfret):
    from tfretrieval import __version__

    assert __version__ in tfret("--version").out


@pytest.mark.parametrize("recipe", ["siamese", "triplet"])
def test_train_prints_where_the_model_is(tfret, scenes, tmp_path, recipe):
    result = result_of(tfret("train", recipe, "--data", scenes, "--run", tmp_path / "r", *QUICK, "--json"))
    assert Path(result["model"]).is_file()
    assert result["epochs"] == 2
    assert 0 <= result["val_map"] <= 1


@pytest.mark.slow
def test_train_resnet_with_any_backbone(tfret, scenes, tmp_path):
    options = ("--backbone", "mobilenet_v2_0.35", "--weights", "none", "--image-size", 32, "--epochs", 1)
    result = result_of(tfret("train", "resnet", "--data", scenes, "--run", tmp_path / "r", *options, "--json"))
    stores = result_of(tfret("embed", "--run", tmp_path / "r", "--json"))["stores"]
    assert result["best_epoch"] == 1
    assert {store["dim"] for store in stores} == {1280}


def test_epochs_0_saves_the_untrained_network(tfret, scenes, tmp_path):
    result = result_of(
        tfret(
            "train", "triplet", "--data", scenes, "--run", tmp_path / "r", "--epochs", 0, "--image-size", 16, "--json"
        )
    )
    assert result["epochs"] == 0
    assert result["best_epoch"] is None
    assert tfret("evaluate", "--run", tmp_path / "r", "-k", 1).code == 0


def test_a_config_file_gives_figures_and_options_come_on_top(tfret, scenes, tmp_path):
    import yaml

    (tmp_path / "c.yaml").write_text("recipe: triplet\nmargin: 0.5\nepochs: 9\nlearning_rate: 1\n")
    outcome = tfret(
        "train",
        "--config",
        tmp_path / "c.yaml",
        "--data",
        scenes,
        "--run",
        tmp_path / "r",
        "--image-size",
        16,
        "--epochs",
        0,
    )
    assert outcome.code == 0, outcome.err
    config = yaml.safe_load((tmp_path / "r" / "config.yaml").read_text())
    assert (config["margin"], config["epochs"], config["learning_rate"]) == (0.5, 0, 1.0)


def test_overwrite_trains_anew(tfret, scenes, run):
    before = (run / "model.keras").read_bytes()
    result_of(tfret("train", "triplet", "--data", scenes, "--run", run, *QUICK, "--seed", 3, "--overwrite", "--json"))
    assert (run / "model.keras").read_bytes() != before


def test_embed_keeps_what_is_up_to_date(tfret, run):
    first = result_of(tfret("embed", "--run", run, "--json"))["stores"]
    written = (run / "embeddings/train/vectors.npy").stat().st_mtime_ns
    assert result_of(tfret("embed", "--run", run, "--json"))["stores"] == first
    assert (run / "embeddings/train/vectors.npy").stat().st_mtime_ns == written


def test_embed_elsewhere(tfret, run, scenes, tmp_path):
    result_of(tfret("embed", "--run", run, "--data", scenes, "--split", "all", "--output", tmp_path / "all", "--json"))
    assert len(Embeddings.load(tmp_path / "all")) == 27


def test_index_says_how_exact_it_is(tfret, run):
    exact = result_of(tfret("index", "--run", run, "--retriever", "faiss", "--pca", 0.9, "--json"))
    assert exact["exact"]
    assert exact["dim"] <= 10
    approximate = result_of(
        tfret(
            "index",
            "--run",
            run,
            "--retriever",
            "faiss",
            "--factory",
            "IVF3,Flat",
            "--nprobe",
            1,
            "--pca",
            "none",
            "--json",
        )
    )
    assert not approximate["exact"]
    assert 0 < approximate["recall_at_10"] <= 1
    text = tfret("index", "--run", run, "--retriever", "faiss")
    assert "approximate, recall@10" in text.out, "settings stay until they are changed"


def test_index_with_a_target_prints_what_was_tried(tfret, run):
    ask = ("index", "--run", run, "--retriever", "faiss", "--target-recall", 0.9)
    result = result_of(tfret(*ask, "--json"))
    assert result["exact"]
    assert result["tuning"]["target_recall"] == 0.9
    assert [trial["factory"] for trial in result["tuning"]["table"]] == ["Flat"]
    text = tfret(*ask).out.splitlines()
    assert text[1].split()[:2] == ["index", "parameters"]
    assert text[2].split()[:3] == ["*", "Flat", "1.0000"]


@pytest.mark.parametrize("retriever", ["knn", "faiss"])
def test_evaluate_prints_what_the_design_promises(tfret, run, retriever):
    result = result_of(
        tfret("evaluate", "--run", run, "--retriever", retriever, "-k", 3, "-k", 5, "--seed", 4, "--json")
    )
    assert result["retriever"] == retriever
    assert (result["n_queries"], result["n_gallery"], result["dim"]) == (9, 18, 10)
    assert {"precision_at_1", "precision_at_3", "map", "map_at_r", "r_precision", "mrr", "knn_accuracy"} <= set(
        result["metrics"]
    )
    confusion = np.array(result["confusion"])
    assert np.trace(confusion) / confusion.sum() == result["metrics"]["precision_at_1"]
    assert (run / "evaluation" / retriever / "pr_curves.csv").is_file()


def test_knn_and_faiss_give_the_same_metrics(tfret, run):
    knn, faiss = (
        result_of(tfret("evaluate", "--run", run, "--retriever", kind, "--metric", "cosine", "--json"))["metrics"]
        for kind in ("knn", "faiss")
    )
    assert knn == pytest.approx(faiss, abs=1e-6)


def test_evaluate_two_stores_from_anywhere(tfret, tmp_path):
    rng = np.random.default_rng(0)
    Embeddings.from_arrays(rng.normal(size=(20, 4)), np.arange(20) % 2).save(tmp_path / "g")
    Embeddings.from_arrays(rng.normal(size=(6, 4)), np.arange(6) % 2, ids=[f"q{i}" for i in range(6)]).save(
        tmp_path / "q"
    )
    result = result_of(tfret("evaluate", "--gallery", tmp_path / "g", "--queries", tmp_path / "q", "--json"))
    assert (result["n_queries"], result["n_gallery"]) == (6, 20)


def test_fail_under(tfret, run):
    assert tfret("evaluate", "--run", run, "--fail-under", "map=0.0001").code == 0
    below = tfret("evaluate", "--run", run, "--fail-under", "map=1.01", "--json")
    assert below.code == 3
    assert "map" in below.err
    assert "metrics" in json.loads(below.out)


def test_query_finds_a_gallery_image_itself(tfret, run, scenes, tmp_path):
    image = sorted((scenes / "train").rglob("*.png"))[0]
    arguments = ("query", image, "--run", run, "-k", 3, "--figure", tmp_path / "f.png")
    answer = result_of(tfret(*arguments, "--json"))["answers"][0]
    assert answer["neighbors"][0]["id"] == image.relative_to(scenes).as_posix()
    assert answer["neighbors"][0]["distance"] == pytest.approx(0, abs=1e-3)
    assert (tmp_path / "f.png").stat().st_size > 1000
    assert image.name in tfret(*arguments).out


def on_a_terminal(run, image, **environment: str) -> str:
    """What `tfret query` writes where its stdout is a terminal."""
    import pty

    master, slave = pty.openpty()
    code = "from tfretrieval.cli import main; main()"
    asked = [sys.executable, "-c", code, "query", str(image), "--run", str(run), "-k", "3"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TERM", "KITTY", "TMUX"))}
    child = subprocess.Popen(asked, stdout=slave, stderr=subprocess.DEVNULL, env=clean | environment)
    os.close(slave)
    written = b""
    with contextlib.suppress(OSError):  # of a terminal that nobody writes to any more
        while part := os.read(master, 65536):
            written += part
    os.close(master)
    assert child.wait(60) == 0
    return written.decode()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_query_shows_thumbnails_on_a_terminal_that_can_and_nowhere_else(tfret, run, scenes):
    image = sorted((scenes / "test").rglob("*.png"))[0]
    plain = tfret("query", image, "--run", run, "-k", 3, "--thumbnails", "kitty").out
    assert "\x1b" not in plain
    assert plain == tfret("query", image, "--run", run, "-k", 3).out
    shown = on_a_terminal(run, image, TERM="xterm-kitty")
    assert shown.count("\x1b_Ga=T,f=100") == 1
    assert re.sub(r"(\x1b_G[^\x1b]*\x1b\\)+\n", "", shown.replace("\r\n", "\n")) == plain


def test_visualize_draws_every_kind_as_png_and_as_svg(tfret, run):
    result = result_of(tfret("visualize", "--run", run, "-k", 2, "--queries", 2, "--json"))
    assert set(result["figures"]) == {
        "pr_knn", "confusion_knn", "neighbors_queries_knn", "neighbors_gallery_knn", "hardest_knn", "umap", "tsne",
        "history",
    }  # fmt: skip
    for path in map(Path, result["figures"].values()):
        assert path.stat().st_size > 1000
        assert path.with_suffix(".svg").stat().st_size > 1000


def test_report_writes_one_page_that_holds_everything(tfret, run):
    result = result_of(tfret("report", "--run", run, "--queries", 2, "--json"))
    page = Path(result["report"])
    assert page == run / "report.html"
    assert page.stat().st_size == result["bytes"]
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure") == len(result["figures"]) == 8
    assert tfret("report", "--run", run, "--retriever", "faiss").out == f"{page}\n"
    assert "FAISS" in page.read_text(encoding="utf-8")


def test_export_answers_as_the_model_in_plain_tensorflow(tfret, run, scenes, tmp_path):
    result = result_of(tfret("export", "--run", run, "--output", tmp_path / "saved", "--json"))
    assert result["max_difference"] <= 1e-5
    result_of(tfret("embed", "--run", run, "--json"))
    store = Embeddings.load(run / "embeddings/train")
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "files = tf.constant([open(path, 'rb').read() for path in sys.argv[3:]])\n"
        "np.save(sys.argv[2], model.signatures['encoded'](encoded_images=files)['embeddings'].numpy())\n"
        "assert 'keras' not in [m.split('.')[0] for m in sys.modules if m.startswith('tfretrieval')]\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "saved", tmp_path / "v.npy", *store.paths[:5]], check=True)
    answers = np.load(tmp_path / "v.npy")
    np.testing.assert_allclose(answers, store.vectors[:5], atol=1e-5 * np.abs(store.vectors).max())


def test_info_and_data_commands(tfret, scenes):
    assert "tensorflow" in result_of(tfret("info", "--json"))["versions"]
    assert result_of(tfret("data", "prepare", "digits", "--json"))["n"] == 1797
    found = result_of(tfret("data", "audit", scenes, "--json"))
    assert found["n"] == 27
    assert found["broken"] == {}


def test_audit_prints_what_it_finds_and_writes_a_page(tfret, run, scenes, tmp_path):
    data = Path(shutil.copytree(scenes, tmp_path / "scenes"))
    shutil.copy(data / "train/sea/0.png", data / "test/town/again.png")
    (data / "train/town/broken.png").write_bytes(b"no image")
    page = tmp_path / "pages" / "audit.html"
    outcome = tfret("data", "audit", data, "--run", run, "--page", page)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "29 images, 3 classes; same file 1, near duplicates 0, leaks 1, broken 1, odd 0"
    assert "same file, other class, other split: test/town/again.png, train/sea/0.png" in lines
    assert any(line.startswith("broken: train/town/broken.png: ") for line in lines)
    assert any(" labels are doubtful" in line for line in lines)
    assert lines[-1] == f"page: {page}"
    assert "<!DOCTYPE html>" in page.read_text("utf-8")
    result = result_of(tfret("data", "audit", data, "--run", run, "--suspects", 1, "--json"))
    assert len(result["suspects"]) <= 1 <= result["n_suspects"]
    assert {"leaks", "near_duplicates", "odd", "notes"} <= set(result)


def test_audit_without_a_run_says_how_labels_are_judged(tfret, scenes):
    outcome = tfret("data", "audit", scenes)
    assert "labels were not judged: --run DIR does" in outcome.out.splitlines()[-1]
    assert "--epochs 0" in outcome.out


def test_verify_exits_with_1_and_still_prints_its_result(tfret, tmp_path):
    outcome = tfret("data", "verify", tmp_path, "--json")
    assert outcome.code == 1
    assert len(json.loads(outcome.out)["faults"]) == 2688


@pytest.mark.slow
def test_study_compares_models_and_goes_on_where_it_stopped(tfret, scenes, tmp_path):
    arguments = (
        "study", "--data", scenes, "--output", tmp_path / "s", "--models", "siamese,triplet", "--epochs", 1,
        "--steps-per-epoch", 1, "--json", "--image-size",
    )  # fmt: skip
    result = result_of(tfret(*arguments, 16))
    assert [(row["model"], row["retriever"]) for row in result["rows"]] == [
        ("siamese", "knn"), ("siamese", "faiss"), ("triplet", "knn"), ("triplet", "faiss")
    ]  # fmt: skip
    assert Path(result["report"]).read_text(encoding="utf-8").count("<img") >= 10
    model = (tmp_path / "s" / "triplet" / "model.keras").read_bytes()
    again = tfret(*arguments, 16)
    assert json.loads(again.out)["rows"] == result["rows"]
    assert (tmp_path / "s" / "triplet" / "model.keras").read_bytes() == model
    other = tfret(*arguments, 32)
    assert other.code == 1
    assert "was begun with image_size 16, not 32" in other.error
    assert (tmp_path / "s" / "triplet" / "model.keras").read_bytes() == model


def test_an_embedding_that_is_in_its_folder_is_used(tfret, run, tmp_path):
    arguments = ("embed", "--run", run, "--split", "train", "--output", tmp_path / "e")
    tfret(*arguments)
    at = (tmp_path / "e" / "vectors.npy").stat().st_mtime_ns
    tfret(*arguments)
    assert (tmp_path / "e" / "vectors.npy").stat().st_mtime_ns == at


def test_milvus_answers_every_command_as_faiss_does(tfret, run, scenes, tmp_path):
    pytest.importorskip("milvus_lite", reason="Milvus is not installed: pip install '.[milvus]'")
    place = ("--uri", tmp_path / "v.db", "--collection", "scenes")
    built = result_of(tfret("index", "--run", run, "--retriever", "milvus", *place, "--json"))
    assert (built["n"], built["exact"], built["collection"], built["index_type"]) == (18, True, "scenes", "FLAT")
    milvus, faiss = (
        result_of(tfret("evaluate", "--run", run, "--retriever", kind, "--json")) for kind in ("milvus", "faiss")
    )
    assert milvus["metrics"] == pytest.approx(faiss["metrics"], abs=1e-4)
    image = scenes / "test" / "sea" / "0.png"
    for only in ((), ("--class", "town"), ("--class", "town", "--class", "field")):
        arguments = ("query", image, "--run", run, "-k", 4, *only, "--json")
        by_milvus, by_faiss = (
            result_of(tfret(*arguments, "--retriever", kind))["answers"][0]["neighbors"] for kind in ("milvus", "faiss")
        )
        assert [item["id"] for item in by_milvus] == [item["id"] for item in by_faiss]
        assert not only or {item["label"] for item in by_milvus} <= set(only)


def test_images_come_and_go_by_command(tfret, run, scenes):
    new = scenes / "test"
    result = result_of(tfret("index", "--run", run, "--add", new, "--remove", "train/sea/0.png", "--json"))
    assert result["n"] == 18 + 9 - 1
    answer = result_of(tfret("query", new / "sea" / "1.png", "--run", run, "-k", 1, "--json"))["answers"][0]
    assert answer["neighbors"][0]["id"] == "sea/1.png"


def test_the_choices_are_those_of_the_library():
    from tfretrieval.cli.options import MILVUS_INDEXES, RETRIEVERS
    from tfretrieval.retrieval import KINDS
    from tfretrieval.retrieval.milvus.retriever import INDEX_TYPES

    assert tuple(KINDS) == RETRIEVERS
    assert INDEX_TYPES == MILVUS_INDEXES

"""Fixtures: a generated image folder, a trained run, MIT_split and pretrained weights where available."""

from __future__ import annotations

import functools
import gc
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest
from PIL import Image

hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parents[1]
SLOWEST_FIRST = ("test_readme.py", "test_fit.py", "test_train_step.py", "test_page.py")


def pytest_collection_modifyitems(items):
    """Start the slowest files first, since a file runs in one process and the others would wait for it."""
    items.sort(key=lambda item: item.path.name not in SLOWEST_FIRST)


@pytest.fixture(scope="module", autouse=True)
def _forget_models():
    """Release the Keras state of each test file; objects that existed before are excluded from garbage collection."""
    if "keras" in sys.modules:
        gc.freeze()
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Use an empty cache directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFRET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    """Image folder of three classes of noisy single-color images, 6 for training and 3 for testing each."""
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    for name, color in {"field": (60, 160, 40), "sea": (40, 80, 180), "town": (150, 120, 110)}.items():
        for split, count in (("train", 6), ("test", 3)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(rng.normal(color, 25, (24, 24, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def catalog(scenes):
    """The catalog of the scenes."""
    from tfretrieval.data.catalog import Catalog

    return Catalog.from_source(scenes)


@pytest.fixture(scope="session")
def trained_run(catalog, tmp_path_factory) -> Path:
    """Directory of a run trained on `scenes` for one epoch. Read-only: see `run` for a copy."""
    from tfretrieval.runs import Run
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.training.fit import train

    directory = tmp_path_factory.mktemp("trained") / "run"
    settings = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2, "epochs": 1}
    train(catalog, TrainConfig.for_recipe("triplet", **settings), Run(directory))
    return directory


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of the trained run."""
    from tfretrieval.runs import Run

    return Run(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def served(scenes):
    """URL of a web server that serves `scenes`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(scenes)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def pretrained_weights() -> Path:
    """ImageNet weights of mobilenet_v2_0.35, for tests marked `real`."""
    named = os.environ.get("TFRET_WEIGHTS")
    default = ROOT.parent / "shared" / "weights" / "mobilenet_v2_0.35_224_imagenet_notop.h5"
    path = Path(named) if named else default
    if not path.is_file():
        pytest.skip(f"no weights at {path}; set TFRET_WEIGHTS to their file")
    return path


@pytest.fixture(scope="session")
def mit_split() -> Path:
    """Folder of MIT_split, for tests marked `real`."""
    path = Path(os.environ.get("TFRET_MIT_SPLIT") or ROOT.parent / "shared" / "data" / "MIT_split")
    if not path.is_dir():
        pytest.skip(f"no MIT_split at {path}; set TFRET_MIT_SPLIT to its folder")
    return path


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()

"""Data for all tests: a made-up folder of scenes, and the real photographs where they are at hand."""

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

# how long an example takes says nothing on a busy machine
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

ROOT = Path(__file__).resolve().parents[1]


LONGEST = ("test_readme.py", "test_workers.py", "test_commands.py", "test_fit.py", "test_page.py")


def pytest_collection_modifyitems(items):
    """What takes long goes first: a file is run by one process, and the last one should not wait for it."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="module", autouse=True)
def _forget_models():
    """What Keras and TensorFlow keep of the models of a file goes with it.

    What was there before the file, above all the libraries' own, is not looked through for garbage: it is a million
    objects, and on a busy machine their memory is cold.
    """
    if "keras" in sys.modules:
        gc.freeze()
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Built-in data sets go to a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFRET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    """A folder train/test of three easy classes, 6 and 3 images each: 24 x 24 pixels of one color with noise."""
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
    """The directory of a run trained on the scenes for one epoch; tests must not change it."""
    from tfretrieval.runs import Run
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.training.fit import train

    directory = tmp_path_factory.mktemp("trained") / "run"
    settings = {"image_size": 16, "batch_size": 4, "images_per_class": 3, "steps_per_epoch": 2, "epochs": 1}
    train(catalog, TrainConfig.for_recipe("triplet", **settings), Run(directory))
    return directory


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of the trained run that a test may change."""
    from tfretrieval.runs import Run

    return Run(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def served(scenes):
    """The address of the scenes on a web server."""

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
    """Real ImageNet weights of the small backbone mobilenet_v2_0.35; tests that use them carry the mark `real`."""
    named = os.environ.get("TFRET_WEIGHTS")
    default = ROOT.parent / "shared" / "weights" / "mobilenet_v2_0.35_224_imagenet_notop.h5"
    path = Path(named) if named else default
    if not path.is_file():
        pytest.skip(f"the weights are not at {path}; TFRET_WEIGHTS names their file")
    return path


@pytest.fixture(scope="session")
def mit_split() -> Path:
    """The real photographs; tests that use them carry the mark `real`."""
    path = Path(os.environ.get("TFRET_MIT_SPLIT") or ROOT.parent / "shared" / "data" / "MIT_split")
    if not path.is_dir():
        pytest.skip(f"MIT_split is not at {path}; TFRET_MIT_SPLIT names its folder")
    return path


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium; skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()

"""The map of `tfret serve` with 100,000 points: time to first paint, and frames per second while panning and zooming.

Headless Chromium renders in software, without a GPU. The points are synthetic: 20 clusters in the plane.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from results import publish
from timing import spread

from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings
from tfretrieval.serve.background import BackgroundTask
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.maps import Map
from tfretrieval.serve.server import create_server
from tfretrieval.serve.service import Service

FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]  # software rendering, also of WebGL
FRAMES = """async ([action, milliseconds]) => {
    const frame = document.querySelector('.canvas'), plot = frame.plot;
    const canvas = frame.querySelector('canvas[tabindex]');
    const box = canvas.getBoundingClientRect(), middle = [box.left + box.width / 2, box.top + box.height / 2];
    const mouse = (type, x, y, more = {}) => canvas.dispatchEvent(new (type === 'wheel' ? WheelEvent : MouseEvent)(type,
        { clientX: x, clientY: y, bubbles: true, cancelable: true, view: window, button: 0, buttons: 1, ...more }));
    let drawn = 0;
    plot.subscribe('drawing', () => { drawn += 1; });
    const ends = [], begin = performance.now();
    mouse('mouseenter', ...middle);
    if (action === 'pan') mouse('mousedown', ...middle);
    for (let step = 0; performance.now() - begin < milliseconds; step++) {
        const angle = step / 12;
        if (action === 'pan') {
            const at = [middle[0] + 120 * Math.sin(angle), middle[1] + 80 * Math.cos(angle)];
            mouse('mousemove', ...at);
            window.dispatchEvent(new MouseEvent('mousemove', { clientX: at[0], clientY: at[1], buttons: 1 }));
        } else {
            mouse('wheel', ...middle, { deltaY: Math.sin(angle) > 0 ? -60 : 60 });
        }
        await new Promise(requestAnimationFrame);
        ends.push(performance.now());
    }
    if (action === 'pan') { mouse('mouseup', ...middle); window.dispatchEvent(new MouseEvent('mouseup')); }
    return { frames: ends.length, drawn, seconds: (ends.at(-1) - begin) / 1000 };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 points, one round, nothing saved")
    parser.add_argument("--repeats", type=int, default=5, help="number of browsers")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("skipped: Chromium is not installed")
        return
    from playwright.sync_api import sync_playwright

    n, repeats = (2_000, 1) if options.quick else (100_000, options.repeats)
    measured: dict[str, list[float]] = {"first paint, s": [], "pan, frames/s": [], "zoom, frames/s": []}
    with serving(synthetic_service(n)) as address, sync_playwright() as playwright:
        for _ in range(repeats):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            started = time.perf_counter()
            page.goto(f"{address}/#map")
            page.wait_for_selector("canvas[data-ready]", timeout=60_000)
            page.evaluate("() => new Promise(requestAnimationFrame)")
            measured["first paint, s"].append(time.perf_counter() - started)
            page.wait_for_timeout(500)
            for action in ("pan", "zoom"):
                result = page.evaluate(FRAMES, [action, 4000])
                assert result["drawn"] > 0.8 * result["frames"], result  # frames are drawn, not repeated
                measured[f"{action}, frames/s"].append(result["frames"] / result["seconds"])
            browser.close()
    rows = [{"measurement": name, f"{n:,} points": spread(values, 1)} for name, values in measured.items()]
    notes = f"Headless Chromium, software rendering, window of 1280 x 900; median and range of {repeats} browsers."
    publish("map", "Map of the web page", rows, notes, save=not options.quick)


def synthetic_service(n: int) -> Service:
    """A service over n points of 20 classes, whose map is the points."""
    rng = np.random.default_rng(0)
    centers, labels = rng.uniform(-0.8, 0.8, (20, 2)), rng.integers(0, 20, n)
    points = np.clip(centers[labels] + rng.normal(0, 0.06, (n, 2)), -1, 1).astype(np.float32)
    gallery = Embeddings.from_arrays(
        points, labels, ids=[f"train/class-{label}/{i}.jpg" for i, label in enumerate(labels)]
    )
    index = Index.build(gallery, FaissSettings(metric="euclidean"))
    vectors = np.zeros((1, 2), np.float32)
    engine = SimpleNamespace(image_size=8, resize_mode="crop", embed_pixels=lambda pixels: vectors)
    service = Service(Collection("synthetic", gallery, gallery, {"faiss": index}, {}, engine, {}, dict, Path("unused")))
    service.maps["umap"] = BackgroundTask("map umap", lambda: Map(np.arange(n, dtype=np.int32), points))
    return service


@contextlib.contextmanager
def serving(service: Service) -> Iterator[str]:
    """Address of a server in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = create_server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


if __name__ == "__main__":
    main()

"""The commands and the example of the README work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tfretrieval.cli import main
from tfretrieval.embedding.openvino.engine import is_installed

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK = {
    "train": ["--epochs", "1", "--image-size", "32", "--weights", "none", "--backbone", "convnet"],
    "study": ["--epochs", "1", "--steps-per-epoch", "1", "--image-size", "16", "--resnet-image-size", "32"],
}
QUICK["study"] += ["--weights", "none", "--backbone", "convnet", "--models", "resnet"]  # the others: `make demo`


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(block: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in block.splitlines() if line.strip()]


def run(words: list[str]) -> None:
    assert words[0] == "tfret"
    with pytest.raises(SystemExit) as stopped:
        main([*words[1:], *QUICK.get(words[1], [])])
    assert not stopped.value.code, " ".join(words)


def serve(words: list[str]) -> None:
    """Start the server on a free port, check that it is ready, and stop it."""
    place = words.index("--port")
    command = [sys.executable, "-c", "from tfretrieval.cli import main; main()", *words[1:place], "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        (address,) = re.findall(r"http://\S+", process.stdout.readline())
        assert httpx.get(f"{address}/api/ready", timeout=60).json() == {"status": "ok"}
        process.terminate()


# one of the commands starts Ray, which uses deprecated functions
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def here(tmp_path, monkeypatch, scenes):
    """A working directory with a user's photos."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(scenes, "photos")
    for split in ("train", "test"):
        Path("photos", split, "sea").rename(Path("photos", split, "cats"))
    Image.open("photos/train/cats/1.png").save("photos/train/cats/1.jpg")
    Path("photos/train/cats/1.png").unlink()
    shutil.copytree("photos/test", "new_photos")
    Image.open(next(Path("photos").rglob("*.png"))).save("photo.jpg")
    return tmp_path


def test_the_commands_on_a_users_photos(here):
    photos, audit, page, engines, _, beyond = blocks("bash")
    for words in [*commands(photos), *commands(audit)]:
        run(words)
    for words in commands(page):
        serve(words)
    for words in commands(engines):
        if is_installed() or "openvino" not in words:
            run(words)
    for words in commands(beyond):
        if all(find_spec(needed) for needed in ("pymilvus", "ray") if needed.removeprefix("py") in words):
            run(words)
    for name in ("neighbors.png", "runs/photos/report.html", "saved_model/saved_model.pb", "audit.html"):
        assert (here / name).is_file()
    (listing,) = [block for block in blocks("text") if "model.keras" in block]
    documented = re.findall(r"[\w.]+", " ".join(line[:32] for line in listing.splitlines()))
    assert {path.name for path in (here / "runs" / "photos").iterdir()} <= set(documented)
    run(["tfret", "train", "--run", "runs/photos", "--resume"])


def test_the_commands_of_the_study(here, monkeypatch):
    prepare, verify, study = commands(blocks("bash")[4])
    for words in (prepare, verify):
        with pytest.raises(SystemExit) as stopped:
            main([*words[1:], "--help"])
        assert not stopped.value.code
    monkeypatch.setenv("TFRET_MIT_SPLIT", str(here / "photos"))
    run(study)
    assert (here / "study" / "report.html").is_file()


def test_the_python_example(here):
    (example,) = blocks("python")
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 10
    exec(compile(example, "README.md", "exec"), {})


def test_the_make_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"make (\w[\w-]*)(?=    |`)", README)) <= set(targets)


def test_the_linked_files_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target

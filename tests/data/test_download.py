"""Tests of downloads from a local server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from tfretrieval.data.download import download
from tfretrieval.errors import UserError

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server(BaseHTTPRequestHandler):
    ranges = True
    breaks_after: int | None = None
    requested_ranges: list[str | None]

    def do_GET(self):
        wanted = self.headers.get("Range")
        type(self).requested_ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if self.path == "/missing":
            self.send_error(404)
        elif start >= len(CONTENT):
            self.send_error(416)
        else:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start : self.breaks_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    class Fresh(Server):
        pass

    Fresh.requested_ranges = []
    running = HTTPServer(("127.0.0.1", 0), Fresh)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    Fresh.address = f"http://127.0.0.1:{running.server_port}"
    yield Fresh
    running.shutdown()
    running.server_close()


def test_file_is_downloaded(server, tmp_path):
    assert download(f"{server.address}/a.zip", tmp_path / "new").read_bytes() == CONTENT


def test_interrupted_download_requests_only_the_rest(server, tmp_path):
    server.breaks_after = 1_000_000
    with pytest.raises(UserError, match="1000000 of 3000000"):
        download(f"{server.address}/a.zip", tmp_path)
    server.breaks_after = None
    assert download(f"{server.address}/a.zip", tmp_path).read_bytes() == CONTENT
    assert server.requested_ranges == [None, "bytes=1000000-"]


def test_complete_download_is_not_repeated(server, tmp_path):
    download(f"{server.address}/a.zip", tmp_path)
    assert download(f"{server.address}/a.zip", tmp_path).read_bytes() == CONTENT
    assert server.requested_ranges == [None, "bytes=3000000-"]


def test_download_starts_over_without_support_for_ranges(server, tmp_path):
    server.breaks_after = 1_000_000
    with pytest.raises(UserError):
        download(f"{server.address}/a.zip", tmp_path)
    server.ranges, server.breaks_after = False, None
    assert download(f"{server.address}/a.zip", tmp_path).read_bytes() == CONTENT


def test_urls_have_separate_partial_files(server, tmp_path):
    assert download(f"{server.address}/a.zip", tmp_path) != download(f"{server.address}/b.zip", tmp_path)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1/a.zip", "file:///etc/passwd", "http://127.0.0.1:1/a.zip", "http://["]
)
def test_url_without_a_response_is_an_error(tmp_path, address):
    with pytest.raises(UserError, match="cannot download"):
        download(address, tmp_path)


def test_missing_file_is_an_error(server, tmp_path):
    with pytest.raises(UserError, match="Not Found"):
        download(f"{server.address}/missing", tmp_path)


def test_unwritable_folder_is_an_error(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot download"):
        download(f"{server.address}/a.zip", tmp_path / "file")

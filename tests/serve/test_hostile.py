"""Malicious uploads, ids and requests get a 4xx with one line that reveals no paths."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tfretrieval.serve.limits import Limits
from tfretrieval.serve.service import Service


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(file, format=kind, **options)
    return file.getvalue()


def png_with_size(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def jpeg_with_size(width: int, height: int) -> bytes:
    data = bytearray(encoded("JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


JPEG, PNG, GIF, WEBP, BMP = (encoded(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP"))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REJECTED = {
    "empty": b"",
    "one byte": b"\xff",
    "text": b"hello",
    "zeros": bytes(5000),
    "html": b"<html><script>alert(1)</script></html>",
    "svg with script": SVG,
    "svg with an entity": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "zip": b"PK\x03\x04" + bytes(100),
    "elf": b"\x7fELF" + bytes(200),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n",
    "tiff": encoded("TIFF"),
    "icon": encoded("ICO"),
    "pcx": encoded("PCX"),
    "truncated jpeg": JPEG[: len(JPEG) // 2],
    "head of a jpeg": JPEG[:30],
    "truncated png": PNG[: len(PNG) // 2],
    "truncated webp": WEBP[: len(WEBP) // 2],
    "truncated bmp": BMP[: len(BMP) // 2],
    "truncated gif": GIF[:40],
    "png with a wrong checksum": PNG[:40] + bytes([PNG[40] ^ 255]) + PNG[41:],
    "png bomb 50,000 x 50,000": png_with_size(50_000, 50_000),
    "png bomb 12,000 x 12,000": png_with_size(12_000, 12_000),
    "png of no width": png_with_size(0, 10),
    "png of negative size": png_with_size(2**31, 2**31 - 1),
    "jpeg bomb 65,500 x 65,500": jpeg_with_size(65_500, 65_500),
    "jpeg of no height": jpeg_with_size(40, 0),
    "gif bomb": GIF[:6] + struct.pack("<HH", 65_535, 65_535) + GIF[10:],
    "bmp that says it is huge": BMP[:18] + struct.pack("<ii", 60_000, 60_000) + BMP[26:],
    "bmp of negative width": BMP[:18] + struct.pack("<ii", -5, 5) + BMP[26:],
    "jpeg with noise in it": JPEG[:200] + bytes(range(256)) * 4,
    "webp of a wrong length": WEBP[:4] + struct.pack("<I", 2**32 - 1) + WEBP[8:40],
}
ACCEPTED = {
    "jpeg and zip at once": JPEG + b"PK\x03\x04" + bytes(100),
    "gif and script at once": GIF + b"/*<script>alert(1)</script>*/",
    "greyscale": encoded("JPEG", "L"),
    "cmyk": encoded("JPEG", "CMYK"),
    "alpha": encoded("PNG", "RGBA"),
    "palette": encoded("PNG", "P"),
    "16 bits": encoded("PNG", "I;16") if "I;16" in Image.MODES else encoded("PNG", "L"),
    "one pixel": encoded("PNG", size=(1, 1)),
    "a line": encoded("PNG", size=(3000, 1)),
}
NAMES = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "a\x00b.jpg",
    "x" * 3000 + ".jpg",
    "ü – 图.jpg",
    "con",
    "",
]


def error_of(response) -> str:
    """The error of a rejected request, which must not name paths."""
    assert 400 <= response.status_code < 500, response.text
    message = response.json()["error"]
    assert message
    assert "\n" not in message
    for secret in ("/tmp", "/work", "/usr", "/home", "site-packages", "Traceback", "root:"):
        assert secret not in response.text
    return message


@pytest.mark.parametrize("name", REJECTED)
def test_invalid_images_are_rejected(client, name):
    error_of(client.post("/api/search", files={"image": ("a.jpg", REJECTED[name], "image/jpeg")}))


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_images_are_accepted(client, name):
    response = client.post("/api/search", files={"image": ("a.jpg", ACCEPTED[name], "text/html")}, data={"k": 2})
    assert len(response.json()["results"][0]["hits"]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_file_names_of_uploads_are_ignored(client, name):
    response = client.post("/api/search", files={"image": (name, PNG, "image/png")}, data={"k": 1})
    assert response.status_code == 200 or (name in ("", "a\x00b.jpg") and error_of(response))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "train/../../x",
        "\x00",
        "%00",
        "x" * 4000,
        "*",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("what", ["item", "item/image", "item/thumbnail", "search"])
def test_only_catalog_items_can_be_read(client, name, what):
    error_of(client.get(f"/api/{what}", params={"id": name}))


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/%2e%2e/app.py", "/js/../../app.py", "/js/%2e%2e/%2e%2e/app.py", "/..%5capp.py", "//etc/passwd"],
)
def test_only_static_files_are_served(client, path):
    error_of(client.get(path))


@pytest.mark.parametrize(
    "values",
    [
        {"k": 0}, {"k": -1}, {"k": 10**9}, {"k": "many"}, {"by": "nothing"}, {"by": "knn:nothing"}, {"by": "KNN"},
        {"class": "nobody"}, {"by": ["knn"] * 13},
    ],
)  # fmt: skip
def test_values_out_of_range_are_rejected(client, service, values):
    error_of(client.get("/api/search", params={"id": str(service.collection.queries.items.ids[0]), **values}))
    error_of(client.post("/api/search", files={"image": PNG}, data=values))


def test_an_upload_without_an_image_is_rejected(client):
    assert "image" in error_of(client.post("/api/search"))
    assert "file" in error_of(client.post("/api/search", data={"image": "text"}))
    error_of(
        client.post(
            "/api/search", content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data; boundary=x"}
        )
    )
    error_of(client.post("/api/search", content=b"{}", headers={"content-type": "multipart/form-data"}))


def test_an_upload_over_the_limit_is_rejected(service, start):
    small = Service(service.collection, Limits(upload_bytes=10_000, pixels=1000))
    with start(small) as client:
        assert "10,000 bytes" in error_of(client.post("/api/search", files={"image": bytes(20_000)}))
        assert "pixels" in error_of(client.post("/api/search", files={"image": PNG}))

        def parts():
            yield b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
            for _ in range(100):
                yield bytes(1000)

        response = client.post(
            "/api/search", content=parts(), headers={"content-type": "multipart/form-data; boundary=x"}
        )
        assert response.status_code == 413


def test_too_many_concurrent_requests_get_429(service, start):
    with start(Service(service.collection, Limits(in_flight=0))) as client:
        response = client.get("/api/health")
        assert "try again" in error_of(response)
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_other_host_names_are_rejected(client):
    assert client.get("/api/health").status_code == 200
    assert client.get("/api/health", headers={"host": "evil.example"}).status_code == 400


def test_missing_and_corrupt_files_get_404(service, start, tmp_path):
    gallery = service.collection.gallery
    paths = gallery.items.paths.copy()
    paths[0], paths[1], paths[2] = str(tmp_path / "gone.png"), str(tmp_path / "broken.png"), ""
    Path(paths[1]).write_bytes(b"no image")
    spoiled = replace(service.collection, gallery=replace(gallery, items=replace(gallery.items, paths=paths)))
    with start(Service(spoiled)) as client:
        for row in range(3):
            for what in ("image", "thumbnail"):
                error_of(client.get(f"/api/item/{what}", params={"id": str(gallery.items.ids[row])}))

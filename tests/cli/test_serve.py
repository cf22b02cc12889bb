"""`tfret serve`; the server itself is tested in tests/serve."""

from __future__ import annotations

import pytest

from tfretrieval.serve import loading, server, service
from tfretrieval.serve.limits import Limits


def test_options_reach_the_server(tfret, run, monkeypatch):
    calls = []
    monkeypatch.setattr(loading, "open_collection", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(service, "Service", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(server, "serve_forever", lambda service, bound, host: calls.append(host))
    options = ("--port", 0, "--retriever", "faiss", "--max-upload", "1MB", "--max-pixels", 100, "--max-in-flight", 2)
    assert tfret("serve", "--run", run, *options, "--seed", 7).code == 0
    collection, settings, host = calls
    assert collection[1:] == (None, ("faiss",), 7)
    assert settings == (None, Limits(upload_bytes=1_000_000, pixels=100, in_flight=2), 7)
    assert host == "127.0.0.1"


@pytest.mark.parametrize(("option", "value"), [("--port", 70_000), ("--max-upload", "big"), ("--retriever", "x")])
def test_invalid_options_are_wrong_usage(tfret, option, value):
    outcome = tfret("serve", option, value)
    assert outcome.code == 2
    assert option in outcome.err

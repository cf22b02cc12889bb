"""Prometheus metrics of requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from prometheus_client import REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tfretrieval.serve.prometheus import MetricsMiddleware


def in_a_thread(coroutine) -> Any:
    """The result of a coroutine; this thread may have an event loop already, that of a browser."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


async def hello(request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def send(*requests: tuple[str, str]) -> None:
    app = Starlette(routes=[Route("/hello", hello)])
    app.add_middleware(MetricsMiddleware)

    async def send_all() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for method, path in requests:
                await client.request(method, path)

    in_a_thread(send_all())


def count(status: str) -> float:
    values = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return sum(v.value for v in values if v.name == "tfret_requests_total" and v.labels["status"] == status)


def test_requests_are_counted_by_status():
    before = count("200"), count("404")
    send(("GET", "/hello"), ("GET", "/hello"), ("GET", "/nothing"))
    assert (count("200"), count("404")) == (before[0] + 2, before[1] + 1)
    assert REGISTRY.get_sample_value("tfret_requests_in_flight") == 0


def test_unknown_methods_share_one_series():
    send(("BREW", "/hello"), ("STIR", "/hello"))
    text = generate_latest(REGISTRY).decode()
    assert 'method="other"' in text
    assert "BREW" not in text

"""Prometheus metrics of requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tfretrieval.serve.prometheus import MetricsMiddleware, ServerMetrics


def in_a_thread(coroutine) -> Any:
    """The result of a coroutine; this thread may have an event loop already, that of a browser."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


async def hello(request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def metrics_after(*requests: tuple[str, str]) -> str:
    metrics = ServerMetrics()
    metrics.items.set(7)
    app = Starlette(routes=[Route("/hello", hello)])
    app.add_middleware(MetricsMiddleware, metrics=metrics)

    async def send() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for method, path in requests:
                await client.request(method, path)

    in_a_thread(send())
    return metrics.render().decode()


def test_requests_are_counted_by_method_and_status():
    text = metrics_after(("GET", "/hello"), ("GET", "/hello"), ("GET", "/nothing"))
    counts = [line for line in text.splitlines() if line.startswith("tfret_requests_total")]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in counts if 'status="200"' in line) == 2
    assert sum(float(line.rsplit(" ", 1)[1]) for line in counts if 'status="404"' in line) == 1
    assert "tfret_gallery_items 7.0" in text
    assert "tfret_requests_in_flight 0.0" in text


def test_unknown_methods_share_one_series():
    text = metrics_after(("BREW", "/hello"), ("STIR", "/hello"))
    assert 'method="other"' in text
    assert "BREW" not in text

"""Limits of requests, on a small application."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tfretrieval.serve.limits import LimitMiddleware, Limits


def in_a_thread(coroutine) -> Any:
    """The result of a coroutine; this thread may have an event loop already, that of a browser."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()


async def echo_size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def responses(limits: Limits, *bodies) -> list[httpx.Response]:
    """Responses to concurrent posts of the bodies."""
    app = Starlette(routes=[Route("/", echo_size, methods=["POST"])])
    app.add_middleware(LimitMiddleware, limits=limits)

    async def post() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*(client.post("/", content=body) for body in bodies))

    return in_a_thread(post())


async def stream(size: int, seconds: float = 0.0):
    """A body without a content length, in chunks of 10 bytes."""
    for _ in range(size // 10):
        await asyncio.sleep(seconds)
        yield bytes(10)


@pytest.mark.parametrize("size", [0, 99, 100])
def test_bodies_up_to_the_limit_are_accepted(size):
    (response,) = responses(Limits(upload_bytes=100), bytes(size))
    assert (response.status_code, response.text) == (200, str(size))


def test_larger_bodies_are_rejected_by_header_or_by_size():
    for body in (bytes(101), stream(110)):
        (response,) = responses(Limits(upload_bytes=100), body)
        assert response.status_code == 413


def test_too_many_concurrent_requests_are_told_to_retry():
    statuses = [response.status_code for response in responses(Limits(in_flight=1), *(stream(50, 0.01),) * 1, b"")]
    assert sorted(statuses) == [200, 429]

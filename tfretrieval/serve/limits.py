"""How much one request may ask of the server, and how many may ask at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfretrieval.serve.http_errors import Refusal

MOST_NEIGHBORS = 200  # of a search; it stands in the OpenAPI document


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        upload_bytes: the largest body of a request.
        pixels: the largest image that is decoded, width times height.
        in_flight: requests that are answered at a time; others get 429 and may try again.
        body_seconds: how long a body may take to arrive.
    """

    upload_bytes: int = 20_000_000
    pixels: int = 50_000_000
    in_flight: int = 64
    body_seconds: float = 30.0


class LimitedRequests:
    """Middleware: refuses a request that is too large, too slow to arrive, or one too many."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.in_flight >= self.limits.in_flight:
            busy = f"more than {self.limits.in_flight} requests at a time; try again"
            await JSONResponse({"error": busy}, 429, {"Retry-After": "1"})(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self.app(scope, self._limited(Headers(scope=scope), receive), send)
        finally:
            self.in_flight -= 1

    def _limited(self, headers: Headers, receive: Receive) -> Receive:
        """`receive` that counts the body."""
        most = self.limits.upload_bytes
        too_large = Refusal(413, f"a request may have {most:,} bytes")
        stated = headers.get("content-length", "")
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            if stated.isdigit() and int(stated) > most:
                raise too_large
            try:
                message = await asyncio.wait_for(receive(), self.limits.body_seconds)
            except asyncio.TimeoutError:
                raise Refusal(408, "the request did not arrive in time") from None
            arrived += len(message.get("body", b""))
            if arrived > most:
                raise too_large
            return message

        return counted

"""Limits of requests: size, duration and number."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_NEIGHBORS = 200


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes:
        upload_bytes: size limit of a request body.
        pixels: limit of width times height of an image.
        in_flight: limit of concurrent requests; others get 429.
        body_seconds: time limit for receiving a body.
        neighbors: limit of neighbors per search.
    """

    upload_bytes: int = 20_000_000
    pixels: int = 50_000_000
    in_flight: int = 64
    body_seconds: float = 30.0
    neighbors: int = MAX_NEIGHBORS


class LimitMiddleware:
    """Middleware that rejects requests beyond the limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.in_flight >= self.limits.in_flight:
            error = f"more than {self.limits.in_flight} concurrent requests; try again"
            await JSONResponse({"error": error}, 429, {"Retry-After": "1"})(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self.app(scope, self._limit_body(Headers(scope=scope), receive), send)
        finally:
            self.in_flight -= 1

    def _limit_body(self, headers: Headers, receive: Receive) -> Receive:
        """Wrap `receive` so that it counts the bytes of the body."""
        limit = self.limits.upload_bytes
        too_large = HTTPException(413, f"the request is larger than {limit:,} bytes")
        content_length = headers.get("content-length", "")
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            if content_length.isdigit() and int(content_length) > limit:
                raise too_large
            try:
                message = await asyncio.wait_for(receive(), self.limits.body_seconds)
            except asyncio.TimeoutError:
                raise HTTPException(408, "the request did not arrive in time") from None
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large
            return message

        return receive_limited

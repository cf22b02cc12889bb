"""The application: routes, the page, and what stands around every request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfretrieval._version import __version__
from tfretrieval.serve.api import router
from tfretrieval.serve.limits import LimitedRequests
from tfretrieval.serve.prometheus import Watch, WatchedRequests
from tfretrieval.serve.service import Service

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
# the map's WebGL library makes functions from text, which 'unsafe-eval' is for; nothing is fetched from elsewhere
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLAINLY = {
    "string_pattern_mismatch": "give a retriever, or retriever:re-ranker, such as faiss:expansion",
    "value_error": "a file is needed",
    "missing": "is missing",
    "int_parsing": "give a whole number",
    "int_type": "give a whole number",
    "greater_than_equal": "{ge} is the least",
    "less_than_equal": "{le} is the most",
    "string_too_short": "it is empty",
    "string_too_long": "{max_length} characters are the most",
    "too_long": "{max_length} are the most",
}
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(service: Service, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The application over a service.

    Args:
        service: what is shown.
        hosts: names under which the server may be asked; others are refused, which keeps pages of other sites out.
    """
    watch = Watch()
    watch.items.set(len(service.collection.gallery))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = service.collection.engine
        if engine is not None:
            blank = np.zeros((engine.image_size, engine.image_size, 3), np.uint8)
            await run_in_threadpool(service.collection.embed, blank)
        app.state.ready = True
        yield
        app.state.ready = False

    app = FastAPI(
        title="tfretrieval", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Search a gallery of images by an image, and see how well that works.",
    )  # fmt: skip
    app.state.service = service
    app.state.ready = False
    app.include_router(router)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(watch.page(), media_type=CONTENT_TYPE_LATEST)

    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=3)
    app.add_middleware(LimitedRequests, limits=service.limits)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(GuardedAnswers)
    app.add_middleware(HeadAsGet)
    app.add_middleware(WatchedRequests, watch=watch)
    return app


class HeadAsGet:
    """Middleware: answers HEAD wherever GET is answered; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self.app({**scope, "method": "GET"} if is_head else scope, receive, send)


class GuardedAnswers:
    """Middleware: puts the headers on every answer that tell a browser what it may not do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.lower().encode() not in present
                    ),
                ]
            await send(message)

        await self.app(scope, receive, guarded)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = " ".join(part for part in first["loc"][1:] if isinstance(part, str)) or "request"
    plainly = PLAINLY.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
    return JSONResponse({"error": f"{where}: {plainly}"}, 422)


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "the server failed; its log says why"}, 500)

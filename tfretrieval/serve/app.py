"""The ASGI application: routes, static files, middleware and error handlers."""

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
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tfretrieval import __version__
from tfretrieval.serve.api import router
from tfretrieval.serve.limits import LimitMiddleware
from tfretrieval.serve.prometheus import ITEMS, MetricsMiddleware
from tfretrieval.serve.service import Service

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MESSAGES = {
    "string_pattern_mismatch": "must be a retriever, or retriever:re-ranker, such as faiss:expansion",
    "value_error": "must be a file",
}


def create_app(service: Service, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """Create the application.

    Args:
        service: the service behind the routes.
        hosts: accepted Host headers; rejecting others protects against DNS rebinding.
    """
    ITEMS.set(len(service.collection.gallery))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = service.collection.engine
        blank = np.zeros((1, engine.image_size, engine.image_size, 3), np.uint8)
        await run_in_threadpool(engine.embed_pixels, blank)
        app.state.ready = True
        yield
        app.state.ready = False

    app = FastAPI(
        title="tfretrieval", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Image retrieval: search, maps and evaluation of a run.",
    )  # fmt: skip
    app.state.service = service
    app.state.ready = False
    app.include_router(router)

    @app.get("/metrics", include_in_schema=False)
    def render_metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _server_error)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=3)
    app.add_middleware(LimitMiddleware, limits=service.limits)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(HeadAsGet)
    app.add_middleware(MetricsMiddleware)
    return app


class HeadAsGet:
    """Middleware that handles HEAD like GET; the server drops the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self.app({**scope, "method": "GET"} if is_head else scope, receive, send)


def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = " ".join(part for part in first["loc"][1:] if isinstance(part, str)) or "request"
    return JSONResponse({"error": f"{where}: {MESSAGES.get(first['type'], first['msg'])}"}, 422)


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _server_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "internal error; see the server's log"}, 500)

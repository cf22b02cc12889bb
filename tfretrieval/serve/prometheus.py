"""What the server says of itself to Prometheus."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Watch:
    """Counts of requests by route and status, how long they took, and the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "tfret_requests", "Requests that were answered.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "tfret_request_seconds", "From a request to the end of its answer.", ("route",), buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self.in_flight = Gauge("tfret_requests_in_flight", "Requests being answered.", registry=self._registry)
        self.items = Gauge("tfret_gallery_items", "Items that are searched.", registry=self._registry)

    def page(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)


class WatchedRequests:
    """Middleware: tells a `Watch` of every request."""

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self.app = app
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = "none"

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = perf_counter()
        self.watch.in_flight.inc()
        try:
            await self.app(scope, receive, noted)
        finally:
            self.watch.in_flight.dec()
            route = getattr(scope.get("route"), "path", "other")
            self.watch.requests.labels(_known(scope["method"]), route, status).inc()
            self.watch.seconds.labels(route).observe(perf_counter() - started)


def _known(method: str) -> str:
    """The method, so that a stranger's words make no new series."""
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"

"""Prometheus metrics of the server."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ServerMetrics:
    """Number and duration of requests by route, and metrics of the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "tfret_requests", "Completed requests.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "tfret_request_seconds", "Duration of requests.", ("route",), buckets=BUCKETS, registry=self._registry
        )
        self.in_flight = Gauge("tfret_requests_in_flight", "Requests in progress.", registry=self._registry)
        self.items = Gauge("tfret_gallery_items", "Items of the gallery.", registry=self._registry)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)


class MetricsMiddleware:
    """Middleware that records every request in `ServerMetrics`."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = "none"

        async def send_recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = perf_counter()
        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_recorded)
        finally:
            self.metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"  # bounds the number of series
            self.metrics.requests.labels(method, route, status).inc()
            self.metrics.seconds.labels(route).observe(perf_counter() - started)

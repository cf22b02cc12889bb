"""Prometheus metrics of the server, in the default registry of the process."""

from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

REQUESTS = Counter("tfret_requests", "Completed requests.", ("method", "route", "status"))
SECONDS = Histogram("tfret_request_seconds", "Duration of requests.", ("route",), buckets=BUCKETS)
IN_FLIGHT = Gauge("tfret_requests_in_flight", "Requests in progress.")
ITEMS = Gauge("tfret_gallery_items", "Items of the gallery.")


class MetricsMiddleware:
    """Middleware that records every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
        try:
            with IN_FLIGHT.track_inprogress():
                await self.app(scope, receive, send_recorded)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"  # bounds the number of series
            REQUESTS.labels(method, route, status).inc()
            SECONDS.labels(route).observe(perf_counter() - started)

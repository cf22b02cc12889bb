"""What a request is answered with that cannot be served."""

from __future__ import annotations

from starlette.exceptions import HTTPException


class Refusal(HTTPException):
    """A request that is refused: an HTTP status 4xx and a reason in one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)

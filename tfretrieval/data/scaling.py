"""How far a JPEG may be scaled down while it is decoded, which saves most of the work of a large photograph."""

from __future__ import annotations

ROOM = 3  # the shorter side keeps at least so many times the wanted size, so that the resize still sets the filter
DIVISORS = (8, 4, 2)

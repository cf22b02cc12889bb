"""Write `docs/performance.md` from the results of all benchmarks, one section each."""

from __future__ import annotations

import json
from pathlib import Path

from results import RESULTS, as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
HEAD = """# Performance

Measured by the scripts in `benchmarks/`. Compared implementations are interleaved within one run of a script; numbers
are medians over rounds, with the minimum and maximum in parentheses. Times are specific to the machine named with each
table; compare the ratios. Targets are those that the project has set itself. `make bench` repeats the measurements on
your machine and rewrites this page.
"""


def main() -> None:
    sections = [HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        method = f"`benchmarks/{path.stem}.py`, on {result['machine']}. {result['notes']}"
        sections.append(f"## {result['title']}\n\n{method}\n\n{as_markdown(result['rows'])}\n")
    PAGE.write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()

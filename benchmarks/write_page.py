"""Put the results of all benchmarks into `docs/performance.md`, one section each."""

from __future__ import annotations

import json
from pathlib import Path

from results import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
HEAD = """# Performance

Ratios measured by the scripts in `benchmarks/`, every side in turn in one run; medians over repeats, in brackets the
lowest and the highest. Times belong to the machine named with each table; the ratios are what to compare. `make bench`
measures on yours and writes this page.
"""


def main() -> None:
    sections = [HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        columns = list(result["rows"][0])
        lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        lines += [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in result["rows"]]
        table = "\n".join(lines)
        how = f"`benchmarks/{path.stem}.py`, on {result['machine']}. {result['notes']}"
        sections.append(f"## {result['title']}\n\n{how}\n\n{table}\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()

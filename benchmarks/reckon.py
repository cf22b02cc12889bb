"""Put what collections of 10 million and a billion images cost into `docs/scale.md`, from the rates in `results/`.

What is measured is scaled by the laws that `growth.py` checks: embedding by the number of images, a search of
everything by the number of vectors, the making of lists by vectors times lists. Nothing here was run at those sizes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
SIZES = {"10 million": 10**7, "1 billion": 10**9}
CORES = 2  # of the machine that the rates were measured on
D = 128
WEIGHTS = {"core-hour": 0.04, "GiB of RAM for a month": 3.0, "GiB of disk for a month": 0.1}
HOURS_A_MONTH = 730


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in {"embedding": embedding(), "index": index(), "search": search()}.items():
        block = f"<!-- {name}: written by benchmarks/reckon.py -->\n{table(rows)}\n<!-- end -->"
        text, count = re.subn(rf"<!-- {name}: .*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{PAGE} has {count} places for the table {name}")
    PAGE.write_text(text, encoding="utf-8")


def embedding() -> list[dict[str, str]]:
    """Images a second, by every engine, as core-hours and money."""
    alone = {
        row["model"].split(",")[0]: first(row["images a second"]) for row in results("embed", "side", "tfret embed")
    }
    keras = {
        row["model"].split(",")[0]: first(row["images a second"]) for row in results("embed", "side", "Keras predict")
    }
    shards = first(results("beyond", "what", "embed, Ray, shards")[0]["beside the peer"])
    rates = {f"{model}, OpenVINO": rate for model, rate in alone.items()}
    rates |= {f"{model}, OpenVINO on Ray": rate * min(1.0, shards) for model, rate in alone.items()}
    rates |= {f"{model}, Keras": rate for model, rate in keras.items()}
    rows = []
    for name, rate in rates.items():
        row = {"engine": name, "images/s, 2 cores": f"{rate:.0f}"}
        for size, n in SIZES.items():
            hours = n / rate / 3600 * CORES
            row[f"{size}: core-hours"] = significant(hours)
            row[f"{size}: units"] = significant(hours * WEIGHTS["core-hour"])
            row[f"{size}: on 200 cores"] = duration(hours / 200)
        rows.append(row)
    return rows


def index() -> list[dict[str, str]]:
    """Time to build, RAM to build and to serve, disk, and a month of both, of each kind of index."""
    limit = results("beyond", "what", "FAISS index within")[0]
    per_vector_and_list = CORES / (number(limit["items/s"]) * lists_of(limit["what"]))
    flat = {int(row["n"]): float(row["seconds"]) for row in growth("index", "Flat")}
    hnsw = {int(row["n"]): float(row["seconds"]) for row in growth("index", "HNSW32")}
    hnsw_exponent = float(growth("index", "HNSW32")[-1]["exponent"])
    rows = []
    for size, n in SIZES.items():
        million = n / 10**6
        raw, graph = 4 * D, 4 * D + 2 * 32 * 4 + 8
        lists = 1 << (int(4 * n**0.5).bit_length() - 1)  # as the index that is built within a limit has
        kinds = {
            "Flat, in RAM": (flat[10**6] * million * CORES, raw * n, raw * n),
            "HNSW32, in RAM": (hnsw[10**6] * million**hnsw_exponent * CORES, graph * n, graph * n),
            f"IVF{lists},Flat, mapped": (per_vector_and_list * n * lists, 0.1 * (raw + 8) * n, (raw + 8) * n),
            f"IVF{lists},PQ64, in RAM": (per_vector_and_list * n * lists, (64 + 8) * n, (64 + 8) * n),
        }
        for kind, (core_seconds, ram, disk) in kinds.items():
            month = WEIGHTS["GiB of RAM for a month"] * ram / 2**30 + WEIGHTS["GiB of disk for a month"] * disk / 2**30
            rows.append(
                {
                    "vectors": size,
                    "index": kind,
                    "build, core-hours": significant(core_seconds / 3600),
                    "RAM to serve": gib(ram),
                    "disk": gib(disk),
                    "units a month": significant(month),
                }
            )
    return rows


def search() -> list[dict[str, str]]:
    """Queries a second in batches, and the cores that 100 queries a second keep busy."""
    seconds = {kind: {int(r["n"]): float(r["seconds"]) for r in growth("search", kind)} for kind in ("Flat", "HNSW32")}
    rows = []
    for size, n in SIZES.items():
        flat = 2000 / (seconds["Flat"][10**6] * n / 10**6)
        rows.append(searched(size, "Flat", flat))
        grown = 1 + 0.1 * (len(str(n)) - 7)  # a tenth more a decade: log n
        rows.append(searched(size, "HNSW32", 2000 / (seconds["HNSW32"][10**6] * grown)))
    return rows


def searched(size: str, kind: str, rate: float) -> dict[str, str]:
    cores = 100 / rate * CORES
    return {
        "vectors": size,
        "index": kind,
        "queries/s, 2 cores": significant(rate),
        "cores for 100 queries/s": significant(cores),
        "units a month": significant(cores * HOURS_A_MONTH * WEIGHTS["core-hour"]),
    }


def results(name: str, column: str, begins: str) -> list[dict[str, Any]]:
    rows = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    found = [row for row in rows if row[column].startswith(begins)]
    exact = [row for row in found if row[column] == begins]
    return exact or found


def growth(step: str, what: str) -> list[dict[str, Any]]:
    rows = json.loads((RESULTS / "growth.json").read_text(encoding="utf-8"))["rows"]
    return [row for row in rows if row["step"] == step and row["what"] == what]


def lists_of(what: str) -> int:
    return int(re.findall(r"IVF(\d+)", what)[0])


def first(text: str) -> float:
    return float(re.findall(r"[\d.,]+", text)[0].replace(",", ""))


def number(text: str) -> float:
    return float(text.replace(",", ""))


def significant(value: float) -> str:
    """Two significant digits; thousands with a comma."""
    if value >= 10:
        digits = 10 ** (len(str(int(value))) - 2)
        return f"{round(value / digits) * digits:,}"
    return f"{value:.2g}"


def gib(size: float) -> str:
    return f"{significant(size / 2**30)} GiB"


def duration(hours: float) -> str:
    return f"{significant(hours * 60)} min" if hours < 2 else f"{significant(hours)} h"


def table(rows: Sequence[dict[str, str]]) -> str:
    columns = list(rows[0])
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join(lines + [f"| {' | '.join(row[column] for column in columns)} |" for row in rows])


if __name__ == "__main__":
    main()

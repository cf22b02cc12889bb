"""Estimate the cost of 10 million and a billion images from measured rates, and write the tables of `docs/scale.md`.

Rates from `results/` are extrapolated by the growth rates of the methods: embedding by images, exact search by vectors,
building inverted lists by vectors times lists. Nothing was run at those sizes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from results import RESULTS, as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
SIZES = {"10 million": 10**7, "1 billion": 10**9}
CORES = 2  # of the machine on which the rates were measured
DIM = 128
CORE_HOUR, RAM_GIB_MONTH, DISK_GIB_MONTH = 0.04, 3.0, 0.1  # prices in dollars
HOURS_PER_MONTH = 730


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in {"embedding": embedding(), "index": index(), "search": search()}.items():
        block = f"<!-- {name}: written by benchmarks/estimate_costs.py -->\n{as_markdown(rows)}\n<!-- end -->"
        text, count = re.subn(rf"<!-- {name}: .*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{PAGE} has {count} markers of the table {name}, not one")
    PAGE.write_text(text, encoding="utf-8")


def embedding() -> list[dict[str, str]]:
    """Core-hours, cost and time of each engine."""
    openvino, keras = (
        {row["model"].split(",")[0]: number(row["images/s"]) for row in measured("embed", "implementation", name)}
        for name in ("tfret embed", "Keras predict")
    )
    ray = number(measured("scale_out", "step", "embed, Ray, shards")[0]["relative speed"])
    rates = {f"{model}, OpenVINO": rate for model, rate in openvino.items()}
    rates |= {f"{model}, OpenVINO on Ray": rate * min(1.0, ray) for model, rate in openvino.items()}
    rates |= {f"{model}, Keras": rate for model, rate in keras.items()}
    rows = []
    for engine, rate in rates.items():
        row = {"engine": engine, "images/s, 2 cores": f"{rate:.0f}"}
        for size, n in SIZES.items():
            core_hours = n / rate / 3600 * CORES
            row[f"{size}: core-hours"] = significant(core_hours)
            row[f"{size}: cost, $"] = significant(core_hours * CORE_HOUR)
            row[f"{size}: time on 200 cores"] = duration(core_hours / 200)
        rows.append(row)
    return rows


def index() -> list[dict[str, str]]:
    """Build time, RAM, disk and monthly cost of each index type."""
    on_disk = measured("scale_out", "step", "FAISS index within")[0]
    core_seconds_per_assignment = CORES / (number(on_disk["items/s"]) * n_lists(on_disk["step"]))
    flat, hnsw = (
        {row["n"]: row["seconds"] for row in growth("index", factory)}[10**6] for factory in ("Flat", "HNSW32")
    )
    hnsw_exponent = float(growth("index", "HNSW32")[-1]["exponent"])
    vector, graph_node, pq_code = 4 * DIM, 4 * DIM + 2 * 32 * 4 + 8, 64  # bytes
    rows = []
    for size, n in SIZES.items():
        millions = n / 10**6
        lists = 1 << (int(4 * n**0.5).bit_length() - 1)  # the default of `--memory-limit`
        ivf = core_seconds_per_assignment * n * lists
        types = {
            "Flat, in RAM": (flat * millions * CORES, vector * n, vector * n),
            "HNSW32, in RAM": (hnsw * millions**hnsw_exponent * CORES, graph_node * n, graph_node * n),
            f"IVF{lists},Flat, memory-mapped": (ivf, 0.1 * (vector + 8) * n, (vector + 8) * n),
            f"IVF{lists},PQ{pq_code}, in RAM": (ivf, (pq_code + 8) * n, (pq_code + 8) * n),
        }
        for index_type, (core_seconds, ram, disk) in types.items():
            rows.append(
                {
                    "vectors": size,
                    "index": index_type,
                    "build, core-hours": significant(core_seconds / 3600),
                    "RAM": gib(ram),
                    "disk": gib(disk),
                    "cost per month, $": significant((RAM_GIB_MONTH * ram + DISK_GIB_MONTH * disk) / 2**30),
                }
            )
    return rows


def search() -> list[dict[str, str]]:
    """Queries per second in batches, and the cores that 100 queries per second need."""
    flat, hnsw = (
        {row["n"]: row["seconds"] for row in growth("search", factory)}[10**6] for factory in ("Flat", "HNSW32")
    )
    rows = []
    for size, n in SIZES.items():
        log_growth = 1 + 0.1 * (len(str(n)) - 7)  # a tenth per factor of ten
        for factory, seconds in (("Flat", flat * n / 10**6), ("HNSW32", hnsw * log_growth)):
            queries_per_second = 2000 / seconds
            cores = 100 / queries_per_second * CORES
            rows.append(
                {
                    "vectors": size,
                    "index": factory,
                    "queries/s, 2 cores": significant(queries_per_second),
                    "cores for 100 queries/s": significant(cores),
                    "cost per month, $": significant(cores * HOURS_PER_MONTH * CORE_HOUR),
                }
            )
    return rows


def measured(benchmark: str, column: str, prefix: str) -> list[dict[str, Any]]:
    """Rows of a benchmark whose column equals the prefix, else those whose column starts with it."""
    rows = json.loads((RESULTS / f"{benchmark}.json").read_text(encoding="utf-8"))["rows"]
    matching = [row for row in rows if row[column].startswith(prefix)]
    return [row for row in matching if row[column] == prefix] or matching


def growth(step: str, factory: str) -> list[dict[str, Any]]:
    return [row for row in measured("growth", "step", step) if row["method"] == factory]


def n_lists(text: str) -> int:
    return int(re.findall(r"IVF(\d+)", text)[0])


def number(text: str) -> float:
    """The first number of a text such as "1,234 (1,200 to 1,300)"."""
    return float(re.findall(r"[\d.,]+", text)[0].replace(",", ""))


def significant(value: float) -> str:
    """Two significant digits; thousands with a comma."""
    if value >= 10:
        digits = 10 ** (len(str(int(value))) - 2)
        return f"{round(value / digits) * digits:,}"
    return f"{value:.2g}"


def gib(n_bytes: float) -> str:
    return f"{significant(n_bytes / 2**30)} GiB"


def duration(hours: float) -> str:
    return f"{significant(hours * 60)} min" if hours < 2 else f"{significant(hours)} h"


if __name__ == "__main__":
    main()

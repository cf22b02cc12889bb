"""Growth of the peak memory of this process by an evaluation, after all imports.

The argument is an .npz file of `queries`, `gallery` and their labels. A request is a depth, 0 for whole rankings.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings


def peak_bytes() -> int:
    """Peak resident memory of this process; `getrusage` would include that of its parent before the fork."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


print("{}", flush=True)
for line in sys.stdin:
    depth = int(line) or None
    before = peak_bytes()
    arrays = np.load(sys.argv[1])
    queries, gallery = (
        Embeddings.from_arrays(arrays[name], arrays[labels], ids=[f"{name}{row}" for row in range(len(arrays[labels]))])
        for name, labels in (("queries", "query_labels"), ("gallery", "gallery_labels"))
    )
    index = Index.build(gallery, FaissSettings(metric="euclidean"))
    started = time.perf_counter()
    evaluate(index, queries, depth=depth)
    seconds = time.perf_counter() - started
    vectors = queries.vectors.nbytes + gallery.vectors.nbytes
    print(json.dumps({"seconds": seconds, "bytes": peak_bytes() - before, "vectors": vectors}), flush=True)

"""How much more memory the process takes while it evaluates than it took when its modules were there.

The file holds `queries`, `gallery` and their labels; the number is the depth, 0 for the whole gallery.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval import FaissRetriever


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


print("{}", flush=True)
for line in sys.stdin:
    depth = int(line) or None
    before = peak()
    arrays = np.load(sys.argv[1])
    queries, gallery = (
        Embeddings.from_arrays(arrays[name], arrays[labels], ids=[f"{name}{row}" for row in range(len(arrays[labels]))])
        for name, labels in (("queries", "query_labels"), ("gallery", "gallery_labels"))
    )
    retriever = FaissRetriever().fit(gallery.vectors)
    started = time.perf_counter()
    evaluate(retriever, queries, gallery, depth=depth)
    seconds = time.perf_counter() - started
    vectors = queries.vectors.nbytes + gallery.vectors.nbytes
    print(json.dumps({"seconds": seconds, "bytes": peak() - before, "vectors": vectors}), flush=True)

"""MAP@R by pytorch-metric-learning for the vectors and labels in an .npz file."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

arrays = {name: torch.from_numpy(array) for name, array in np.load(sys.argv[1]).items()}
METRIC = "mean_average_precision_at_r"
calculator = AccuracyCalculator(include=(METRIC,), k="max_bin_count", device=torch.device("cpu"))

print("{}", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    metrics = calculator.get_accuracy(
        arrays["queries"], arrays["query_labels"], arrays["gallery"], arrays["gallery_labels"], False
    )
    print(json.dumps({"seconds": time.perf_counter() - started, "map_at_r": metrics[METRIC]}), flush=True)

"""`model.predict` of the embedder of a run on images in memory."""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import tfretrieval.models.layers  # noqa: F401  registers the layers


def main() -> None:
    path, n, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = keras.models.load_model(path, compile=False)
    size = model.input_shape[1]
    images = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8).astype(np.float32)
    print("{}", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        model.predict(images, batch_size=batch, verbose=0)
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()

"""`tfret info`."""

import os
from importlib.util import find_spec
from typing import Any

import click

from tfretrieval.cli.options import seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


@click.command()
@seed_option
@prints_result
def info(seed: int) -> tuple[dict[str, Any], str]:
    """Show versions, devices and available engines."""
    load_tensorflow()
    import tensorflow as tf
    import yaml

    from tfretrieval.data.cache import cache_folder
    from tfretrieval.data.mit_split import is_prepared
    from tfretrieval.runs import versions

    result: dict[str, Any] = {
        "versions": versions(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
        "cores": os.cpu_count(),
        "engines": {"keras": ["float32"], **_openvino_precisions()},
        "retrievers": ["knn", "faiss", *(["milvus"] if find_spec("pymilvus") else [])],
        "ray": find_spec("ray") is not None,
        "addons": find_spec("tensorflow_addons") is not None,
        "cache": str(cache_folder()),
        "data": {"digits": True, "mit-split": is_prepared()},
    }
    return result, yaml.safe_dump(result, sort_keys=False, default_flow_style=False).rstrip()


def _openvino_precisions() -> dict[str, list[str]]:
    from tfretrieval.embedding.openvino.engine import has_bfloat16, is_installed

    if not is_installed():
        return {}
    int8 = ["int8"] if find_spec("nncf") else []
    return {"openvino": ["float32", *(["bfloat16"] if has_bfloat16() else []), *int8]}

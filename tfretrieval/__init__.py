"""Image retrieval and metric learning on Keras and TensorFlow.

The names of `__init__.pyi` are imported on first use, so that importing the package is fast.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

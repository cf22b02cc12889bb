"""`Estimator`: scikit-learn's contract of parameters, without importing scikit-learn before it is asked for.

Importing scikit-learn takes longer than answering a query. An `Estimator` can be cloned and put into pipelines and
searches of parameters as any of scikit-learn's.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Estimator:
    """Parameters are what the constructor takes, and are kept under their names.

    >>> class Scaled(Estimator):
    ...     def __init__(self, factor: float = 1.0) -> None:
    ...         self.factor = factor
    >>> Scaled().set_params(factor=2.0)
    Scaled(factor=2.0)
    """

    @classmethod
    def _parameters(cls) -> dict[str, Any]:
        """Name -> default."""
        named = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {parameter.name: parameter.default for parameter in named}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; `deep` is there for scikit-learn, none of them holds another estimator."""
        return {name: getattr(self, name) for name in sorted(self._parameters())}

    def set_params(self, **params: Any) -> Self:
        """Change parameters.

        Raises:
            ValueError: there is none of that name.
        """
        for name, value in params.items():
            if name not in self._parameters():
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        changed = (
            f"{name}={getattr(self, name)!r}"
            for name, default in self._parameters().items()
            if getattr(self, name) != default
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator

        return BaseEstimator.__sklearn_tags__(self)

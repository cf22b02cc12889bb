"""`Estimator`: scikit-learn's parameter interface without importing scikit-learn.

Importing scikit-learn takes longer than a query. An `Estimator` still works with `clone`, pipelines and parameter
searches.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Estimator:
    """Base class of estimators, whose parameters are the arguments of their constructor, stored under the same names.

    >>> class Scaled(Estimator):
    ...     def __init__(self, factor: float = 1.0) -> None:
    ...         self.factor = factor
    >>> Scaled().set_params(factor=2.0)
    Scaled(factor=2.0)
    """

    @classmethod
    def _parameters(cls) -> dict[str, Any]:
        """Defaults by name."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {parameter.name: parameter.default for parameter in parameters}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` has no effect, because no parameter is an estimator."""
        return {name: getattr(self, name) for name in sorted(self._parameters())}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name and return the estimator.

        Raises:
            ValueError: a name is unknown.
        """
        for name, value in params.items():
            if name not in self._parameters():
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = self._parameters().items()
        changed = [f"{name}={getattr(self, name)!r}" for name, default in defaults if getattr(self, name) != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator

        return BaseEstimator.__sklearn_tags__(self)

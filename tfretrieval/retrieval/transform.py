"""`Transform`: normalization, PCA and whitening between embeddings and index."""

from __future__ import annotations

import hashlib
import os
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfretrieval.artifacts import ArtifactType, file_fingerprint
from tfretrieval.atomic import replaced_file
from tfretrieval.errors import UserError
from tfretrieval.estimator import Estimator
from tfretrieval.vectors import checked_vectors

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline

TRANSFORM = ArtifactType("transform", "transform.json", 2, "rebuild it with `tfret index`")
ARRAYS = "transform.npz"
BLOCK = 8192
LEARNED = {
    "standardize": ("mean_", "var_", "scale_"),
    "pca": ("mean_", "components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"),
}


class Transform(Estimator):
    """Normalization, standardization, PCA and whitening in this order, each if enabled.

    Fit it on the gallery and apply it to gallery and queries. A vector of zeros stays finite in every step. The steps
    are fitted by scikit-learn and applied with NumPy alone.

    Args:
        normalize: L2-normalize every vector first.
        standardize: center every dimension and scale it to variance 1.
        pca: number of components, or a fraction of the variance between 0 and 1; None for no PCA.
        whiten: scale every component to variance 1; without `pca` all components are kept.
        renormalize: L2-normalize every vector again at the end, as the cosine distance needs after PCA.

    Attributes:
        learned_: name -> array, what the steps have learned.

    >>> gallery = np.array([[0.0, 0, 1], [2, 0, 1], [4, 0, 1], [6, 1, 1]])
    >>> Transform(pca=1).fit_transform(gallery).shape
    (4, 1)
    """

    def __init__(
        self,
        normalize: bool = False,
        standardize: bool = False,
        pca: int | float | None = None,
        whiten: bool = False,
        renormalize: bool = False,
    ) -> None:
        self.normalize = normalize
        self.standardize = standardize
        self.pca = pca
        self.whiten = whiten
        self.renormalize = renormalize

    def fit(self, X: Any, y: None = None) -> Transform:
        """Fit on the gallery, [n, d].

        Raises:
            UserError: the vectors are not finite numbers [n, d] with n >= 1; `pca` is more than min(n, d) or
                otherwise out of range; whitening meets a component without variance.
        """
        gallery = checked_vectors(X, "gallery vectors")
        if not len(gallery):
            raise UserError("the gallery is empty: there is nothing to fit the transform on")
        self._check_pca(*gallery.shape)
        self.n_features_in_ = gallery.shape[1]
        steps = self._unfitted().fit(gallery.astype(np.float64)).named_steps
        if self.whiten:
            _check_rank(steps["pca"])
        self.learned_ = {
            f"{step}.{name}": np.asarray(getattr(steps[step], name))
            for step, names in LEARNED.items()
            if step in steps
            for name in names
        }
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Float32 [n, d'] for vectors [n, d].

        Raises:
            UserError: the transform is not fitted, or the vectors are not finite numbers [n, d] of its dimension.
        """
        self._check_fitted()
        vectors = checked_vectors(X, "vectors", self.n_features_in_)
        if not (self.normalize or self.renormalize or self.learned_):
            return vectors
        transformed = np.empty((len(vectors), self.n_features_out_), np.float32)
        for start in range(0, len(vectors), BLOCK):
            transformed[start : start + BLOCK] = self._applied(vectors[start : start + BLOCK].astype(np.float64))
        return transformed

    def fit_transform(self, X: Any, y: None = None) -> np.ndarray:
        """`fit` and `transform` in one call."""
        return self.fit(X).transform(X)

    @property
    def n_features_out_(self) -> int:
        """Dimension of the result, d'."""
        self._check_fitted()
        return len(self.learned_["pca.components_"]) if "pca.components_" in self.learned_ else self.n_features_in_

    @property
    def fingerprint(self) -> str:
        """A short hash of the parameters and the learned arrays."""
        self._check_fitted()
        digest = hashlib.sha256(repr((self.get_params(), self.n_features_in_)).encode())
        for name in sorted(self.learned_):
            digest.update(name.encode() + np.ascontiguousarray(self.learned_[name]).tobytes())
        return digest.hexdigest()[:16]

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `transform.npz` and `transform.json`; no pickle.

        Raises:
            UserError: the transform is not fitted, or the directory cannot be written.
        """
        self._check_fitted()
        directory = Path(directory)
        with replaced_file(directory / ARRAYS) as temporary:
            np.savez(temporary, **self.learned_)  # type: ignore[arg-type]
        header = {
            "params": {name: _plain(value) for name, value in self.get_params().items()},
            "dim_in": self.n_features_in_,
            "dim_out": self.n_features_out_,
            "content": file_fingerprint(directory / ARRAYS),
        }
        TRANSFORM.write_header(directory, header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Transform:
        """Read a transform.

        Raises:
            MissingArtifact: there is none.
            CorruptArtifact: it is damaged.
        """
        directory = Path(directory)
        header = TRANSFORM.read_header(directory)
        with TRANSFORM.reading(directory):
            if file_fingerprint(directory / ARRAYS) != header["content"]:
                raise ValueError(f"{ARRAYS} is not the file that {TRANSFORM.header} describes")
            with np.load(directory / ARRAYS, allow_pickle=False) as arrays:
                transform = cls(**header["params"])
                transform.n_features_in_, transform.learned_ = header["dim_in"], dict(arrays)
                if missing := transform._needed() - transform.learned_.keys():
                    raise ValueError(f"{ARRAYS} has no {missing.pop()}")
                return transform

    def _needed(self) -> set[str]:
        steps = {"standardize": self.standardize, "pca": self.pca is not None or self.whiten}
        return {f"{step}.{name}" for step, names in LEARNED.items() if steps[step] for name in names}

    def _unfitted(self) -> Pipeline:
        from sklearn.decomposition import PCA
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import Normalizer, StandardScaler

        steps: list[tuple[str, Any]] = []
        if self.normalize:
            steps.append(("normalize", Normalizer()))
        if self.standardize:
            steps.append(("standardize", StandardScaler()))
        if self.pca is not None or self.whiten:
            steps.append(("pca", PCA(self.pca, whiten=self.whiten, svd_solver="full")))
        if self.renormalize:
            steps.append(("renormalize", Normalizer()))
        return Pipeline(steps or [("identity", "passthrough")])

    def _applied(self, x: np.ndarray) -> np.ndarray:
        """The steps of `_unfitted`, float64 [n, d] -> [n, d']."""
        learned = self.learned_
        if self.normalize:
            x = _l2_normalized(x)
        if self.standardize:
            x = (x - learned["standardize.mean_"]) / learned["standardize.scale_"]
        if "pca.components_" in learned:
            x = (x - learned["pca.mean_"]) @ learned["pca.components_"].T
            if self.whiten:
                x /= np.sqrt(learned["pca.explained_variance_"])
        return _l2_normalized(x) if self.renormalize else x

    def _check_pca(self, n: int, d: int) -> None:
        if self.pca is None:
            return
        if isinstance(self.pca, Integral) and not isinstance(self.pca, bool):
            if not 1 <= self.pca <= min(n, d):
                raise UserError(
                    f"pca={self.pca} is out of range: {n} gallery vectors of {d} dimensions have {min(n, d)} components"
                )
        elif isinstance(self.pca, bool) or not isinstance(self.pca, Real) or not 0 < self.pca < 1:
            raise UserError(f"pca={self.pca!r} must be a number of components or a fraction between 0 and 1")

    def _check_fitted(self) -> None:
        if not hasattr(self, "learned_"):
            raise UserError("the transform is not fitted", "call fit on the gallery first")


def _l2_normalized(x: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
    return x / np.where(norms == 0, 1, norms)


def _check_rank(pca: PCA) -> None:
    variances = pca.explained_variance_
    rank = int((variances > variances.max(initial=0) * 1e-10).sum())
    if rank < pca.n_components_:
        raise UserError(
            f"whitening needs variance in all {pca.n_components_} components, and the gallery has it in {rank}",
            f"use --pca {max(rank, 1)} or less",
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

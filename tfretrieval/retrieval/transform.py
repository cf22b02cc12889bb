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
from tfretrieval.retrieval.distances import blocks
from tfretrieval.vectors import checked_vectors, unit_rows

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import Pipeline

TRANSFORM = ArtifactType("transform", "transform.json", 3, "rebuild it with `tfret index`")
ARRAYS = "transform.npz"


class Transform(Estimator):
    """Normalization, standardization, PCA and whitening in this order, each if enabled.

    Fit it on the gallery and apply it to gallery and queries. A vector of zeros stays finite in every step. The steps
    between the two normalizations are fitted by scikit-learn and applied as one matrix product.

    Args:
        normalize: L2-normalize every vector first.
        standardize: center every dimension and scale it to variance 1.
        pca: number of components, or a fraction of the variance between 0 and 1; None for no PCA.
        whiten: scale every component to variance 1; without `pca` all components are kept.
        renormalize: L2-normalize every vector again at the end, as the cosine distance needs after PCA.

    Attributes:
        matrix_: float64 [d, d'], standardization, PCA and whitening in one; None if none is enabled.
        offset_: float64 [d'], added after the product; None if `matrix_` is.

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
        d = gallery.shape[1]
        matrix = offset = None
        if self._is_affine:
            pipeline = self._fitted_pipeline(self._normalized(gallery).astype(np.float64))
            offset = pipeline.transform(np.zeros((1, d)))[0]
            matrix = pipeline.transform(np.eye(d)) - offset
        self.matrix_, self.offset_, self.n_features_in_ = matrix, offset, d
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Float32 [n, d'] for vectors [n, d].

        Raises:
            UserError: the transform is not fitted, or the vectors are not finite numbers [n, d] of its dimension.
        """
        self._check_fitted()
        vectors = self._normalized(checked_vectors(X, "vectors", self.n_features_in_))
        if self.matrix_ is not None:
            products = np.empty((len(vectors), self.n_features_out_), np.float32)
            for rows in blocks(len(vectors)):
                products[rows] = vectors[rows].astype(np.float64) @ self.matrix_ + self.offset_
            vectors = products
        return unit_rows(vectors) if self.renormalize else vectors

    def fit_transform(self, X: Any, y: None = None) -> np.ndarray:
        """`fit` and `transform` in one call."""
        return self.fit(X).transform(X)

    @property
    def n_features_out_(self) -> int:
        """Dimension of the result, d'."""
        self._check_fitted()
        return self.n_features_in_ if self.matrix_ is None else self.matrix_.shape[1]

    @property
    def fingerprint(self) -> str:
        """A short hash of the parameters and the fitted arrays."""
        digest = hashlib.sha256(repr((self.get_params(), self.n_features_in_)).encode())
        for array in self._arrays().values():
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `transform.npz` and `transform.json`; no pickle.

        Raises:
            UserError: the transform is not fitted, or the directory cannot be written.
        """
        directory, arrays = Path(directory), self._arrays()
        with replaced_file(directory / ARRAYS) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]
        header = {
            "params": {name: np.asarray(value).item() for name, value in self.get_params().items()},
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
            transform = cls(**header["params"])
            transform.n_features_in_ = header["dim_in"]
            with np.load(directory / ARRAYS, allow_pickle=False) as arrays:
                transform.matrix_, transform.offset_ = arrays.get("matrix"), arrays.get("offset")
            if transform._is_affine == (transform.matrix_ is None):
                raise ValueError(f"{ARRAYS} does not fit the parameters")
            return transform

    def _arrays(self) -> dict[str, np.ndarray]:
        self._check_fitted()
        arrays = {"matrix": self.matrix_, "offset": self.offset_}
        return {name: array for name, array in arrays.items() if array is not None}

    def _normalized(self, vectors: np.ndarray) -> np.ndarray:
        return unit_rows(vectors) if self.normalize else vectors

    @property
    def _is_affine(self) -> bool:
        """Whether there is a step between the normalizations. All of them are affine."""
        return self.standardize or self.pca is not None or self.whiten

    def _fitted_pipeline(self, gallery: np.ndarray) -> Pipeline:
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        steps = [StandardScaler()] if self.standardize else []
        if self.pca is not None or self.whiten:
            steps.append(PCA(self.pca, whiten=self.whiten, svd_solver="full"))
        pipeline = make_pipeline(*steps).fit(gallery)
        if self.whiten:
            _check_rank(pipeline[-1])
        return pipeline

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
        if not hasattr(self, "n_features_in_"):
            raise UserError("the transform is not fitted", "call fit on the gallery first")


def _check_rank(pca: PCA) -> None:
    variances = pca.explained_variance_
    rank = int((variances > variances.max(initial=0) * 1e-10).sum())
    if rank < pca.n_components_:
        raise UserError(
            f"whitening needs variance in all {pca.n_components_} components, and the gallery has it in {rank}",
            f"use --pca {max(rank, 1)} or less",
        )

"""Estimators for scikit-learn: mixed models in pipelines, searches and cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.adapters.estimator import MixedEstimator
from mixedsparse.adapters.plain import binary, least_squares
from mixedsparse.api.generalized import GeneralizedLinearMixedModel
from mixedsparse.api.model import LinearMixedModel
from mixedsparse.core.likelihood.family import Binomial
from mixedsparse.ground.errors import BackendError, DataError

try:
    from sklearn.base import ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data
except ImportError as err:
    raise BackendError("mixedsparse.sklearn needs scikit-learn >= 1.6: install mixedsparse[sklearn].") from err

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MixedClassifier", "MixedRegressor"]

# Names that a column of failures may have beside the columns of X.
_OTHERS = ("failures", "others", "the others")


class MixedRegressor(RegressorMixin, MixedEstimator):
    """A linear mixed model as an estimator of scikit-learn.

    Parameters
    ----------
    formula : str, optional
        Right side of a formula in the columns of X, ``"~ x + (1 + x | subject)"``; what stands left of the tilde is no
        more than a name. Columns of an array are ``x0``, ``x1``, ...
    group : str or int, optional
        Without a formula: column whose levels have random intercepts, all other columns being fixed effects. With
        neither there are no random effects, and coefficients are those of least squares.
    reml : bool
        Restricted maximum likelihood; False for maximum likelihood.
    random : {"conditional", "population"}
        What `predict` is for: the levels that were fitted, unseen ones having random effects of 0, or the population.

    Attributes
    ----------
    results_ : MixedResults or None
        The fit with everything that it knows; None without random effects.
    intercept_, coef_ : float, ndarray
        Fixed effects; names of `coef_` are in `coef_names_`.
    n_features_in_ : int
    feature_names_in_ : ndarray
        Where X has names.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> data = ms.datasets.load("sleepstudy")
    >>> estimator = ms.sklearn.MixedRegressor("~ Days + (Days | Subject)")
    >>> scores = cross_val_score(estimator, data, data["Reaction"], groups=data["Subject"], cv=GroupKFold(6))
    >>> len(scores)
    6
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        group: str | int | None = None,
        reml: bool = True,
        random: str = "conditional",
    ) -> None:
        self.formula = formula
        self.group = group
        self.reml = reml
        self.random = random

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows of X; prior weights of 0 leave rows out.

        Parameters
        ----------
        X : data frame or array, shape (n, features)
        y : array, shape (n,)
        sample_weight : array, shape (n,), optional
        """
        if not self._is_modelled:
            return self._fit_least_squares(X, y, sample_weight)
        frame = self._columns(X, reset=True)
        values = np.asarray(column_or_1d(y, warn=True), dtype=float)
        if len(values) != len(frame):
            raise DataError(f"y has {len(values)} values for {len(frame)} rows of X: give one for each.")
        formula, response = self._written(frame)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, frame)
        kept = slice(None) if weights is None else weights > 0
        data = frame.loc[kept].assign(**{response: values[kept]})
        model = LinearMixedModel(formula, data, weights=None if weights is None else weights[kept], env={})
        return self._keep(model.fit(self.reml))

    def _fit_least_squares(self, X: Any, y: Any, sample_weight: Any) -> Self:
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
        return self._keep_plain(least_squares(X, y, _check_sample_weight(sample_weight, X)))

    def predict(self, X: Any) -> np.ndarray:
        """Means of the rows of X, (n,)."""
        check_is_fitted(self, "coef_")
        if self.results_ is None:
            return self._predict_plain(X)
        return np.asarray(
            self.results_.predict(self._columns(X, reset=False), random=self.random, new_levels="zero")  # type: ignore[call-overload]
        )


class MixedClassifier(ClassifierMixin, MixedEstimator):
    """A mixed model of two classes as an estimator of scikit-learn: logistic, or with another link.

    Parameters
    ----------
    formula : str, optional
        As of `MixedRegressor`.
    group : str or int, optional
        As of `MixedRegressor`. With neither there are no random effects, and coefficients are those of a plain binary
        regression.
    link : str
        ``"logit"``, ``"probit"`` or ``"cloglog"``.
    nAGQ : int
        1 for Laplace's approximation, more for quadrature.
    random : {"conditional", "population"}
        What predictions are for; see `MixedRegressor`.

    Attributes
    ----------
    classes_ : ndarray
        The two classes; probabilities and coefficients are about the second one.
    results_ : GeneralizedResults or None
        None without random effects.
    intercept_, coef_ : float, ndarray
        Fixed effects on the scale of the link; names of `coef_` are in `coef_names_`.
    n_features_in_ : int

    Examples
    --------
    >>> import mixedsparse as ms
    >>> data = ms.datasets.load("VerbAgg").iloc[:2000]
    >>> model = ms.sklearn.MixedClassifier("~ btype + (1 | id)").fit(data, data["r2"])
    >>> model.predict_proba(data.head(2)).shape
    (2, 2)
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        group: str | int | None = None,
        link: str = "logit",
        nAGQ: int = 1,
        random: str = "conditional",
    ) -> None:
        self.formula = formula
        self.group = group
        self.link = link
        self.nAGQ = nAGQ
        self.random = random

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows of X; weights of 0 leave rows out.

        Parameters
        ----------
        X : data frame or array, shape (n, features)
        y : array, shape (n,)
            Of two classes.
        sample_weight : array, shape (n,), optional
            How often each row counts: whole numbers, except without random effects.
        """
        if not self._is_modelled:
            return self._fit_plain(X, y, sample_weight)
        frame = self._columns(X, reset=True)
        happened = self._happened(column_or_1d(y, warn=True), len(frame))
        formula, response = self._written(frame)
        if sample_weight is None:
            data = frame.assign(**{response: happened.astype(int)})
            model = GeneralizedLinearMixedModel(formula, data, "binomial", link=self.link, env={})
            return self._keep(model.fit(self.nAGQ))
        counts = _check_sample_weight(sample_weight, frame)
        if (counts != np.round(counts)).any() or (counts < 0).any():
            raise DataError("sample_weight must be whole numbers, how often each row counts, in a model of classes.")
        kept = counts > 0
        times, successes = counts[kept].astype(int), (counts * happened)[kept].astype(int)
        other = next(name for name in _OTHERS if name not in frame.columns)
        data = frame.loc[kept].assign(**{response: successes, other: times - successes})
        formula = formula.replace(f"`{response}` ~", f"cbind(`{response}`, `{other}`) ~", 1)
        return self._keep(GeneralizedLinearMixedModel(formula, data, "binomial", link=self.link, env={}).fit(self.nAGQ))

    def _happened(self, y: np.ndarray, rows: int) -> np.ndarray:
        """Keep the classes, and mark the rows of the second one."""
        check_classification_targets(y)
        if len(y) != rows:
            raise DataError(f"y has {len(y)} values for {rows} rows of X: give one for each.")
        self.classes_ = unique_labels(y)
        if len(self.classes_) != 2:
            count = len(self.classes_)
            raise DataError(
                f"Only binary classification is supported. y has {count} class{'es' if count != 1 else ''}, "
                f"{self.classes_!r}: MixedClassifier tells two apart."
            )
        return np.asarray(np.asarray(y) == self.classes_[1])

    def _fit_plain(self, X: Any, y: Any, sample_weight: Any) -> Self:
        X, y = validate_data(self, X, y, dtype=np.float64)
        happened = self._happened(column_or_1d(y, warn=True), len(X))
        weights = _check_sample_weight(sample_weight, X)
        kept = weights > 0
        return self._keep_plain(binary(X[kept], happened[kept].astype(float), weights[kept], Binomial(self.link)))

    def __sklearn_tags__(self) -> Any:
        """Say that there are two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear predictors of the second class, (n,)."""
        return self._predicted(X, "link")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of both classes, (n, 2)."""
        second = self._predicted(X, "response")
        return np.column_stack([1.0 - second, second])

    def predict(self, X: Any) -> np.ndarray:
        """Return the more probable class of each row of X, (n,)."""
        second = self._predicted(X, "response") > 0.5
        return np.asarray(self.classes_[second.astype(int)])

    def _predicted(self, X: Any, type: str) -> np.ndarray:
        check_is_fitted(self, "results_")
        if self.results_ is None:
            eta = self._predict_plain(X)
            return eta if type == "link" else np.asarray(Binomial(self.link).mean(eta))
        found = self.results_.predict(
            self._columns(X, reset=False),
            type=type,
            random=self.random,
            new_levels="zero",  # type: ignore[call-overload]
        )
        return np.asarray(found)

"""Estimators for scikit-learn: mixed models in pipelines, searches and cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.api.generalized import GeneralizedLinearMixedModel
from mixedsparse.api.model import LinearMixedModel
from mixedsparse.ground.errors import BackendError, DataError, FormulaError, OptionError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data
except ImportError as err:
    raise BackendError("mixedsparse.sklearn needs scikit-learn >= 1.6: install mixedsparse[sklearn].") from err

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MixedClassifier", "MixedRegressor"]

# Names that the response may have beside the columns of X.
_RESPONSES = ("y", "response", "target", "the response")


class _MixedEstimator(BaseEstimator):
    """What the estimators share: the formula, and columns for it."""

    formula: str | None
    group: str | int | None
    random: str

    def _columns(self, X: Any, reset: bool) -> pd.DataFrame:
        """X as a data frame; columns of an array are ``x0``, ``x1``, ..."""
        if not hasattr(X, "columns"):
            X = validate_data(self, X, reset=reset, dtype=None if self._is_modelled else "numeric")
            return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
        validate_data(self, X, reset=reset, skip_check_array=True)
        return X if isinstance(X, pd.DataFrame) else pd.DataFrame({name: np.asarray(X[name]) for name in X.columns})

    def _keep(self, results: Any) -> Self:
        """Keep a fit, and its coefficients under scikit-learn's names."""
        params = results.params
        self.results_ = results
        self.intercept_ = float(params.get("Intercept", 0.0))
        self.coef_ = params.drop("Intercept", errors="ignore").to_numpy(copy=True)
        self.coef_names_ = [name for name in params.index if name != "Intercept"]
        return self

    @property
    def _is_modelled(self) -> bool:
        return self.formula is not None or self.group is not None

    def _written(self, frame: pd.DataFrame) -> tuple[str, str]:
        """Write the formula out, and name its response, which is no column of `frame`."""
        response = next(name for name in _RESPONSES if name not in frame.columns)
        if self.formula is None:
            names = [str(name) for name in frame.columns]
            group = f"x{self.group}" if isinstance(self.group, int) else str(self.group)
            if group not in names:
                raise OptionError(f"group={self.group!r} is no column of X, which has {', '.join(names)}.")
            fixed = " + ".join(f"`{name}`" for name in names if name != group) or "1"
            return f"`{response}` ~ {fixed} + (1 | `{group}`)", response
        left, tilde, right = self.formula.partition("~")
        left = left.strip().strip("`")
        if not tilde:
            raise FormulaError(f"The formula {self.formula!r} has no '~': write '~ x + (1 | g)'.")
        if left and not left.replace(".", "_").isidentifier():
            raise FormulaError(
                f"The response {left!r} is transformed in the formula: write '~{right}', and transform y by "
                "sklearn.compose.TransformedTargetRegressor."
            )
        response = left if left and left not in frame.columns else response
        return f"`{response}` ~{right}", response


class MixedRegressor(RegressorMixin, _MixedEstimator):
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
        root = np.sqrt(_check_sample_weight(sample_weight, X))
        design = np.column_stack([np.ones(len(X)), X]) * root[:, None]
        beta = np.linalg.lstsq(design, y * root, rcond=None)[0]
        self.results_ = None
        self.intercept_, self.coef_ = float(beta[0]), beta[1:]
        self.coef_names_ = list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])]))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Means of the rows of X, (n,)."""
        check_is_fitted(self, "coef_")
        if self.results_ is None:
            X = validate_data(self, X, reset=False, dtype=np.float64)
            return np.asarray(X @ self.coef_ + self.intercept_)
        return np.asarray(
            self.results_.predict(self._columns(X, reset=False), random=self.random, new_levels="zero")  # type: ignore[call-overload]
        )


class MixedClassifier(ClassifierMixin, _MixedEstimator):
    """A mixed model of two classes as an estimator of scikit-learn: logistic, or with another link.

    Parameters
    ----------
    formula : str, optional
        As of `MixedRegressor`.
    group : str or int, optional
        As of `MixedRegressor`; one of the two is needed.
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
    results_ : GeneralizedResults
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

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to the rows of X.

        Parameters
        ----------
        X : data frame or array, shape (n, features)
        y : array, shape (n,)
            Of two classes.
        """
        if not self._is_modelled:
            raise OptionError("MixedClassifier needs formula='~ x + (1 | g)', or group=, a column of X.")
        frame = self._columns(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != len(frame):
            raise DataError(f"y has {len(y)} values for {len(frame)} rows of X: give one for each.")
        self.classes_ = unique_labels(y)
        if len(self.classes_) != 2:
            raise DataError(f"y has {len(self.classes_)} classes, {self.classes_!r}: MixedClassifier tells two apart.")
        formula, response = self._written(frame)
        data = frame.assign(**{response: (np.asarray(y) == self.classes_[1]).astype(int)})
        model = GeneralizedLinearMixedModel(formula, data, "binomial", link=self.link, env={})
        return self._keep(model.fit(self.nAGQ))

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear predictors of the second class, (n,)."""
        return self._predicted(X, "link")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of both classes, (n, 2)."""
        second = self._predicted(X, "response")
        return np.column_stack([1.0 - second, second])

    def predict(self, X: Any) -> np.ndarray:
        """Return the more probable class of each row of X, (n,)."""
        return np.asarray(self.classes_[(self._predicted(X, "response") > 0.5).astype(int)])

    def _predicted(self, X: Any, type: str) -> np.ndarray:
        check_is_fitted(self, "results_")
        found = self.results_.predict(
            self._columns(X, reset=False),
            type=type,
            random=self.random,
            new_levels="zero",  # type: ignore[call-overload]
        )
        return np.asarray(found)

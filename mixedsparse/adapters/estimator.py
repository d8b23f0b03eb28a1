"""What the estimators for scikit-learn share: the formula, columns for it, and coefficients under their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import BackendError, FormulaError, OptionError

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import validate_data
except ImportError as err:
    raise BackendError("mixedsparse.sklearn needs scikit-learn >= 1.6: install mixedsparse[sklearn].") from err

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MixedEstimator"]

# Names that the response may have beside the columns of X.
_RESPONSES = ("y", "response", "target", "the response")


class MixedEstimator(BaseEstimator):
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

    def _keep_plain(self, beta: np.ndarray) -> Self:
        """Keep the coefficients of a model without random effects."""
        self.results_ = None
        self.intercept_, self.coef_ = float(beta[0]), beta[1:]
        self.coef_names_ = list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(len(self.coef_))]))
        return self

    def _predict_plain(self, X: Any) -> np.ndarray:
        """Linear predictors of a model without random effects."""
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return np.asarray(X @ self.coef_ + self.intercept_)

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

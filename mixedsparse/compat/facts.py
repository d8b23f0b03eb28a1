"""What statsmodels' model objects tell of themselves: arrays, names and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.compat.specs import VCSpec
from mixedsparse.ground.errors import AbsentError, DataError
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from mixedsparse.api.model import LinearMixedModel
    from mixedsparse.compat.structure import Effects, Structure
    from mixedsparse.core.problem.terms import RandomTerm
    from mixedsparse.data.formula.design import Design

__all__ = ["Data", "FactsMixin"]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """The ``data`` of a model: names and arrays.

    Attributes
    ----------
    model : FactsMixin
    """

    model: FactsMixin

    @property
    def xnames(self) -> list[Any]:
        """Names of the fixed effects."""
        return self.model.exog_names

    @property
    def ynames(self) -> str:
        """Name of the response."""
        return self.model.endog_names

    @property
    def param_names(self) -> list[Any]:
        """Names of all parameters."""
        return [*self.model.exog_names, *self.model.structure.parameter_names]

    @property
    def exog_re_names(self) -> list[str]:
        """Names of the groups' random effects."""
        return list(self.model.structure.re_names)

    @property
    def exog_re_names_full(self) -> list[str]:
        """Names of the covariance parameters of the groups' random effects."""
        return list(self.model.structure.re_params)

    @property
    def vcomp_names(self) -> list[str]:
        """Names of the variance components' parameters."""
        return self.model.structure.parameter_names[self.model.k_re2 :]

    @property
    def endog(self) -> np.ndarray:
        """Response (n,)."""
        return self.model.endog

    @property
    def exog(self) -> np.ndarray:
        """Fixed-effects design (n, k_fe)."""
        return self.model.exog

    @property
    def row_labels(self) -> pd.Index:
        """Label of each row."""
        return self.model.linear.design.index

    @property
    def frame(self) -> Any:
        """The data that were given; of a model from a file, the columns that its formula uses."""
        source = self.model.linear.design.source
        if self.model.frame is not None or source is None:
            return self.model.frame
        return pd.DataFrame(dict(source.columns), index=source.index)


def _by_group(part: Effects, term: RandomTerm, rows: Mapping[Any, np.ndarray]) -> list[tuple[list[str], np.ndarray]]:
    """Names and matrix of a term with one column, group by group: a column for each level."""
    out = []
    for g, at in enumerate(rows.values()):
        levels = np.flatnonzero((part.group == g) & (part.labels != ""))
        matrix = (term.codes[at][:, None] == levels) * term.z[at]
        out.append((part.labels[levels].tolist(), matrix))
    return out


class FactsMixin(Answers):
    """Facts of `MixedLM`, read off the linear model and its structure."""

    linear: LinearMixedModel
    structure: Structure
    labelled: bool
    frame: Any
    typed: str | None
    use_sqrt: bool
    # The criterion of the last fit, which `loglike` goes by.
    reml: bool = True

    @property
    def formula(self) -> str:
        """Formula as given; ``linear.formula`` is that with bars, as `mixedsparse.lmer` reads it.

        Raises
        ------
        AbsentError
            The model was made from arrays.
        """
        if self.typed is None:
            raise AbsentError("A model from arrays has no formula; `linear.formula` is one made up for it.")
        return self.typed

    @property
    def design(self) -> Design:
        """Arrays of the linear model."""
        return self.linear.design

    @property
    def data(self) -> Data:
        """Names and arrays, as statsmodels keeps them."""
        return Data(self)

    @property
    def groups(self) -> np.ndarray:
        """Group of each row (n,)."""
        return self.structure.groups[self.structure.codes]

    @property
    def row_indices(self) -> dict[Any, np.ndarray]:
        """Rows of each group."""
        rows = np.argsort(self.structure.codes, kind="stable")
        return dict(zip(self.group_labels, np.split(rows, np.cumsum(self.structure.sizes)[:-1]), strict=True))

    def group_list(self, array: Any) -> list[np.ndarray] | None:
        """Split an array with one row per observation by group."""
        if array is None:
            return None
        return [np.asarray(array)[rows] for rows in self.row_indices.values()]

    @property
    def exog_re(self) -> np.ndarray | None:
        """Design of the groups' random effects (n, k_re); None without."""
        return self.linear.design.terms[0].z if self.k_re else None

    @property
    def exog_vc(self) -> VCSpec:
        """Designs of the variance components, dense, group by group."""
        terms = iter(self.linear.design.terms[int(self.k_re > 0) :])
        names, colnames, mats = [], [], []
        for component in self.structure.components:
            found = [_by_group(part, next(terms), self.row_indices) for part in component.parts]
            pairs = list(zip(*found, strict=True))
            names.append(component.name)
            colnames.append([[name for columns, _ in pair for name in columns] for pair in pairs])
            mats.append([np.column_stack([matrix for _, matrix in pair]) for pair in pairs])
        return VCSpec(names, colnames, mats)

    def predict(self, params: Any, exog: Any = None) -> Any:
        """Compute X beta.

        Parameters
        ----------
        params : array_like or MixedLMParams
            Fixed effects, with or without the covariance parameters behind them.
        exog : array_like (rows, k_fe), optional
            Design; that of the model by default.
        """
        fixed = getattr(params, "fe_params", params)
        beta = np.asarray(fixed, dtype=float)[: self.k_fe]
        if exog is None:
            return self.exog @ beta
        if isinstance(exog, pd.DataFrame) and self.labelled and set(exog.columns) == set(self.exog_names):
            exog = exog[list(self.exog_names)]
        X = np.atleast_2d(np.asarray(exog, dtype=float))
        if X.shape[1] != len(beta):
            names = ", ".join(map(str, self.exog_names))
            raise DataError(f"exog has shape {X.shape}: give {len(beta)} columns, {names}.")
        return pd.Series(X @ beta, index=exog.index) if isinstance(exog, pd.DataFrame) else X @ beta

    def remove_rows(self) -> None:
        """Let go of the rows."""
        raise NotImplementedError

    @property
    def endog(self) -> np.ndarray:
        """Response (n,)."""
        return self.linear.design.y

    @property
    def exog(self) -> np.ndarray:
        """Fixed-effects design (n, k_fe), columns that are linear combinations of others left out."""
        return self.linear.design.X[:, self.linear.problem.basis.kept[self.structure.fe_order]]

    @property
    def endog_names(self) -> str:
        """Name of the response."""
        return self.linear.design.response

    @property
    def exog_names(self) -> list[Any]:
        """Names of the columns of `exog`."""
        return list(self.structure.fixed.names)

    @property
    def group_labels(self) -> list[Any]:
        """Labels of the groups."""
        return self.structure.groups.tolist()

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.structure.groups)

    @property
    def nobs(self) -> int:
        """Number of observations."""
        return self.linear.problem.n

    @property
    def k_fe(self) -> int:
        """Number of fixed effects."""
        return self.linear.problem.p

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, components apart."""
        return self.structure.k_re

    @property
    def k_re2(self) -> int:
        """Number of parameters of cov_re."""
        return len(self.structure.re_params)

    @property
    def k_vc(self) -> int:
        """Number of variance components."""
        return len(self.structure.components)

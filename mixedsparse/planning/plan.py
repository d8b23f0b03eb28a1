"""A design together with the parameters of a model: what an experiment is expected to bring."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.api.model import LinearMixedModel
from mixedsparse.api.results import MixedResults
from mixedsparse.data.families import read_family
from mixedsparse.fitted.generalized import GeneralizedModel
from mixedsparse.fitted.parameters import Hypothesis
from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.errors import FormulaError, OptionError
from mixedsparse.ground.foreign import Answers, explains_arguments
from mixedsparse.planning.components import is_number, named_values, relative_factors
from mixedsparse.planning.generalized import GeneralizedHypothesis, GeneralizedTruth, dispersion_of, model_of
from mixedsparse.planning.sizes import resize
from mixedsparse.planning.truth import Truth

if TYPE_CHECKING:
    from mixedsparse.api.generalized import GeneralizedResults
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.fitted.model import Model

__all__ = ["Plan", "as_frame", "plan"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan(Answers):
    """Rows, and the model that is thought to hold for them.

    Attributes
    ----------
    data : DataFrame
        The design.
    truth : Truth
        The hypothesised parameters, under the names that results have for estimates: `params`, `varcorr()`, `sigma`.
    weights : str, number, array or None
        Prior weights, or trials, as they were given.
    """

    data: pd.DataFrame
    truth: Truth
    weights: Any = None

    def simulate(self, nsim: int = 1, seed: int | None = None) -> pd.DataFrame:
        """Draw responses (rows, nsim), random effects anew for each; see `MixedResults.simulate`."""
        return self.truth.simulate(nsim, seed)

    def fit(self, y: Any) -> MixedResults | GeneralizedResults:
        """Fit the model to a response, simulated or real; see `MixedResults.refit`."""
        if isinstance(self.truth, GeneralizedTruth):
            return self.truth.fit(y)
        from mixedsparse.inference.responses import refit_response

        return MixedResults._of(refit_response(self.truth._fitted, y))

    def resized(self, sizes: Mapping[str, int]) -> Plan:
        """Return the same plan with other numbers of levels of grouping factors; see `mixedsparse.power`.

        Raises
        ------
        ColumnError
            A factor of `sizes` is not a column of the design.
        OptionError
            The model has other coefficients then, or its weights are an array.
        """
        design = self.truth.model.design
        assert design.encoding is not None
        assert design.source is not None
        if not (self.weights is None or isinstance(self.weights, str) or is_number(self.weights)):
            raise OptionError(
                "Weights or trials that are an array cannot follow another size of the design: make them a column."
            )
        names = design.encoding.parsed.names
        atoms = [atom for term in design.encoding.terms for atom in term.grouping.atoms]
        columns = dict.fromkeys(names[atom.alias] for atom in atoms if atom.alias is not None)
        data = self.data
        for factor, size in sizes.items():
            data = resize(data, factor, size, [column for column in columns if column != factor])
        source, family = design.source, self.truth.family if isinstance(self.truth, GeneralizedTruth) else None
        given = {"weights": self.weights, "contrasts": source.contrasts, "env": source.env}
        model = _model(data, design.formula, family, source.relations, **given)
        if model.design.x_names != design.x_names:
            raise OptionError(
                f"With {dict(sizes)} the model has other coefficients: {', '.join(model.design.x_names)}."
            )
        beta = self.truth.params.reindex(design.x_names, fill_value=0.0).to_numpy()
        order, templates = self.truth.model.problem.order, self.truth._fitted.templates
        factors = [templates[order.index(i)] for i in range(len(order))]
        scale = self.truth._fitted.psi if isinstance(self.truth, GeneralizedTruth) else self.truth.sigma
        return Plan(data, _hypothesised(model, beta, factors, scale, self.truth.reml), self.weights)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{n} {group}" for group, n in self.truth.ngroups.items())
        return f"<Plan: {self.truth.formula}, {self.truth.nobs} rows, {sizes}>"


@explains_arguments
def plan(
    design: Any,
    formula: str,
    effects: Any,
    random: Mapping[str, Any],
    sigma: float | None = None,
    *,
    family: Any = None,
    link: str | None = None,
    trials: Any = None,
    dispersion: float | None = None,
    correlations: Mapping[str, Any] | None = None,
    contrasts: Mapping[str, Any] | None = None,
    weights: Any = None,
    relations: Mapping[str, Any] | None = None,
    reml: bool = True,
    env: Mapping[str, Any] | None = None,
) -> Plan:
    """Say what a planned experiment is expected to bring.

    Parameters
    ----------
    design : data frame
        Rows of the experiment, from `mixedsparse.design` or your own; needs no response.
    formula : str
        Of the model that will be fitted; the left side is a name.
    effects : dict or Series
        Coefficients by name, in units of the response; 0 where it says nothing. ``fit.params`` of a pilot study will
        do.
    random : dict
        Grouping factor -> standard deviations by effect (a dict; a number where there is one effect), or -> covariance
        matrix (a DataFrame): ``fit.cov_re`` of a pilot study will do.
    sigma : float
        Residual standard deviation; not of a generalized model.
    family, link : optional
        Of a generalized model, as for `glmer`: effects and standard deviations are those of the linear predictor.
    trials : str, number or array, optional
        Numbers of trials of a binomial response; 1 by default.
    dispersion : float, optional
        Of a family that has one; see `GeneralizedResults.dispersion`.
    correlations : dict, optional
        Grouping factor -> correlation of all pairs of its effects, or -> dict of correlations by pair of effects.
    contrasts, weights, relations
        As for `lmer`.
    reml : bool
        Criterion by which responses will be fitted.

    Returns
    -------
    Plan
        ``.simulate(nsim, seed)`` draws responses, ``.fit(y)`` fits one; `power` tests many.

    Raises
    ------
    OptionError
        A coefficient, grouping factor or effect is not in the model (the message lists them), standard deviations and
        correlations make no covariance, or `sigma` is not positive.
    FormulaError
        The left side of the formula is no name.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> rows = ms.design(subjects=20, items=16, within={"A": ["a1", "a2"]})
    >>> study = ms.plan(
    ...     rows,
    ...     "rt ~ A + (A | subject) + (1 | item)",
    ...     effects={"Intercept": 500, "A[T.a2]": 30},
    ...     random={"subject": {"Intercept": 80, "A[T.a2]": 30}, "item": 40},
    ...     correlations={"subject": -0.3},
    ...     sigma=150,
    ... )
    >>> study
    <Plan: rt ~ A + (A | subject) + (1 | item), 640 rows, 20 subject, 16 item>
    >>> study.simulate(100, seed=1).shape
    (640, 100)

    Accuracy in place of times: effects are log odds.

    >>> ms.plan(
    ...     rows,
    ...     "correct ~ A + (1 | subject) + (1 | item)",
    ...     effects={"Intercept": 1.0, "A[T.a2]": 0.4},
    ...     random={"subject": 0.8, "item": 0.5},
    ...     family="binomial",
    ... )
    <Plan: correct ~ A + (1 | subject) + (1 | item), 640 rows, 20 subject, 16 item>
    """
    found = None if family is None else read_family(family, link)
    if found is None:
        if link is not None or trials is not None or dispersion is not None:
            raise OptionError("link=, trials= and dispersion= belong to generalized models: give family= too.")
        if not (is_number(sigma) and sigma > 0):  # type: ignore[operator]
            raise OptionError(f"sigma={sigma!r} must be a positive number.")
        scale = unit = float(sigma)  # type: ignore[arg-type]
    else:
        if weights is not None:
            raise OptionError("weights= is for linear plans: numbers of trials are trials=.")
        scale, unit, weights = dispersion_of(found, dispersion, sigma), 1.0, trials
    data = as_frame(design)
    given = {"weights": weights, "contrasts": contrasts, "env": CallerNames(2) if env is None else env}
    model = _model(data, formula, found, relations, **given)
    if any(term.structure is not None for term in model.design.terms):
        raise FormulaError(
            f"The formula {formula!r} has a covariance structure, and plans take unstructured terms only: write "
            "'(x | g)' and give the covariance matrix of the effects as random={'g': matrix}."
        )
    beta = named_values(effects, model.design.x_names, "effects")
    factors = relative_factors(model.design.terms, random, correlations or {}, unit)
    return Plan(data, _hypothesised(model, beta, factors, scale, reml), weights)


def as_frame(design: Any) -> pd.DataFrame:
    """Return any table as a pandas DataFrame."""
    from mixedsparse.data.formula.frames import open_table

    if isinstance(design, pd.DataFrame):
        return design
    table = open_table(design)
    return pd.DataFrame(table.read(table.names, "the design"), index=table.index)


def _model(
    data: pd.DataFrame, formula: str, family: Family | None, relations: Mapping[str, Any] | None, **given: Any
) -> Model:
    """Model of the design; it needs some response, whose numbers are never looked at."""
    if family is not None:
        if relations:
            raise OptionError("relations= is for linear models: leave out family=, or the relationship.")
        return model_of(data, formula, _response(formula), family, *given.values())
    stand_in = np.random.default_rng(0).standard_normal(len(data))
    data = data.assign(**{_response(formula): stand_in})
    return LinearMixedModel(formula, data, relations=relations, **given)


def _hypothesised(model: Model, beta: np.ndarray, factors: Sequence[np.ndarray], scale: float, reml: bool) -> Truth:
    """Take beta (P,), relative factors in the order of the formula, and sigma or log dispersion, for the truth."""
    problem, names = model.problem, model.design.x_names
    kept = problem.basis.kept
    lost = [names[i] for i in np.flatnonzero(beta) if i not in kept]
    if lost:
        raise OptionError(
            f"effects= says that {', '.join(lost)} is not 0, but the design cannot tell it from the coefficients "
            "before it: leave it out, or change the design."
        )
    templates = tuple(factors[i] for i in problem.order)
    theta = problem.theta_layout.flatten(templates)
    if isinstance(model, GeneralizedModel):
        return GeneralizedTruth(GeneralizedHypothesis(model, beta[kept], theta, 1.0, False, scale))
    return Truth(Hypothesis(model, beta[kept], theta, scale**2, reml))


def _response(formula: str) -> str:
    """Name on the left side."""
    found = re.match(r"\s*(?:([^\W\d][\w.]*)|`([^`]+)`)\s*~", formula) if isinstance(formula, str) else None
    if found is None:
        raise FormulaError(
            f"The left side of {formula!r} must be a name, e.g. 'y ~ x + (1 | g)': responses are drawn for it as it is."
        )
    return found.group(1) or found.group(2)

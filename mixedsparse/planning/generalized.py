"""Plans of generalized models: hypothesised parameters, responses drawn from them, fits and tests of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaincc

from mixedsparse.api.generalized import GeneralizedLinearMixedModel, GeneralizedResults
from mixedsparse.core.batch.draws import Sampler
from mixedsparse.core.fitting.laplace import fit_generalized
from mixedsparse.core.likelihood.family import Family
from mixedsparse.data.families import DOMAINS
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel, warn_of_generalized_search
from mixedsparse.fitted.parameters import Hypothesis
from mixedsparse.ground.checks import check_draws
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.generalized.refits import engine_of, fit_fewer_columns, likelihood_of, with_response
from mixedsparse.inference.generalized.responses import read_new_response, rows_sampler
from mixedsparse.planning.components import is_number
from mixedsparse.planning.truth import Truth

__all__ = ["GeneralizedHypothesis", "GeneralizedTruth", "dispersion_of", "fit_drawn", "lrt", "model_of"]


@dataclass(frozen=True, eq=False)
class GeneralizedHypothesis(Hypothesis):
    """Parameters of a generalized model that somebody thinks of; theta is absolute, and `sigma2` 1."""

    model: GeneralizedModel
    psi: float = 0.0

    @property
    def family(self) -> Family:
        """Response family, with its link."""
        return self.model.family

    @property
    def has_residual(self) -> bool:
        """False."""
        return False

    @property
    def npar(self) -> int:
        """Number of parameters: fixed effects, covariance parameters, dispersion."""
        return self.problem.p + self.problem.n_theta + int(self.family.has_dispersion)

    @property
    def scale_parameter(self) -> tuple[str, float] | None:
        """The dispersion, of families that have one."""
        return ("dispersion", float(np.exp(self.psi))) if self.family.has_dispersion else None

    @property
    def weights(self) -> np.ndarray | None:
        """Trials (n,), None where all are 1."""
        return self.model.prior

    @property
    def sampler(self) -> Sampler:
        """Draws responses, random effects anew."""
        offset, prior = self.design.offset, self.model.prior
        mean = self.X @ self.beta if offset is None else self.X @ self.beta + offset
        m = np.ones(self.nobs) if prior is None else prior
        return rows_sampler(self.family, self.psi, mean, m, self.problem.terms, self.templates)


class GeneralizedTruth(Truth):
    """A generalized model with hypothesised parameters; covariances are those of the linear predictor."""

    _fitted: GeneralizedHypothesis  # type: ignore[assignment]

    @property
    def family(self) -> Family:
        """Response family, with its link."""
        return self._fitted.family

    @property
    def dispersion(self) -> float:
        """See `GeneralizedResults.dispersion`; NaN for families without one."""
        known = self.family.has_dispersion or self.family.dispersion is not None
        return float(np.exp(self._fitted.psi)) if known else float("nan")

    def simulate(self, nsim: int = 1, seed: int | None = None) -> pd.DataFrame:
        """Draw responses (rows, nsim), numbers of successes of a binomial model; random effects anew for each."""
        check_draws(nsim, seed)
        drawn = self._fitted.sampler(np.random.SeedSequence(seed).spawn(nsim)).T
        return pd.DataFrame(drawn, index=self._fitted.design.index)

    def fit(self, y: Any) -> GeneralizedResults:
        """Fit the model to a response; see `GeneralizedResults.refit`."""
        fitted = fit_drawn(self._fitted, read_new_response(self._fitted, y))  # type: ignore[arg-type]
        warn_of_generalized_search(fitted)
        return GeneralizedResults._of(fitted)


def fit_drawn(truth: GeneralizedHypothesis, y: np.ndarray) -> GeneralizedFitted:
    """Fit a response (n,) as `Design.y` has it, from the truth unless that is singular."""
    model = with_response(truth.model, y)
    start = np.concatenate([truth.theta, truth.beta, [truth.psi] if truth.family.has_dispersion else []])
    inside = truth.theta[truth.problem.theta_layout.is_diagonal].all()
    arguments = model.family, model.response, model.prior, model.design.offset
    return GeneralizedFitted(model, fit_generalized(engine_of(model), *arguments, start=start if inside else None))


def lrt(fitted: GeneralizedFitted, L: np.ndarray, label: str) -> float:
    """P value of the likelihood ratio of L beta = 0."""
    _, values, rows = np.linalg.svd(L)
    rank = int((values > 1e-10 * values[0]).sum())
    null = fit_fewer_columns(fitted, rows[rank:].T, label)
    rise = max(null.criterion - likelihood_of(fitted).criterion, 0.0)
    return float(gammaincc(0.5 * rank, 0.5 * rise))


def model_of(
    data: pd.DataFrame, formula: str, response: str, family: Family, trials: Any, contrasts: Any, env: Mapping[str, Any]
) -> GeneralizedLinearMixedModel:
    """Model of a design; it needs some response, whose numbers are never looked at."""
    given = np.full(len(data), float(trials)) if is_number(trials) else trials
    numbers = data[given].to_numpy() if isinstance(given, str) and given in data else given
    data = data.assign(**{response: _stand_in(family, numbers, len(data))})
    return GeneralizedLinearMixedModel(formula, data, family, trials=given, contrasts=contrasts, env=env)


def _stand_in(family: Family, trials: Any, n: int) -> np.ndarray:
    """Return a response (n,) that the family can have."""
    if DOMAINS[family.name] != "events":
        return np.where(np.arange(n) % 2 == 0, 1.0, 2.0)
    m = np.ones(n) if trials is None else np.asarray(trials, dtype=float)
    y = m.copy()
    y[(int(np.argmax(m)) + 1) % n] -= 1.0
    return y


def dispersion_of(family: Family, dispersion: Any, sigma: Any) -> float:
    """Log dispersion that is hypothesised, 0 for a family without one."""
    if sigma is not None:
        raise OptionError(f"sigma= belongs to linear models: a {family.name} response has no residual of its own.")
    if not family.has_dispersion:
        if dispersion is not None:
            raise OptionError(f"dispersion= belongs to families that have one; {family.name} has none.")
        return family.psi
    if not (is_number(dispersion) and dispersion > 0):
        raise OptionError(f"family={family.name!r} needs dispersion=, a positive number, not {dispersion!r}.")
    return float(np.log(dispersion))

"""Tests of simulated responses, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.contrast import contrast_tests, joint_test
from mixedsparse.inference.hypotheses import FixedTerms, deciding_rows, fixed_terms, type3
from mixedsparse.inference.linear import Linear, read_linear
from mixedsparse.inference.replicates import Block, evaluate
from mixedsparse.inference.responses import fit_response
from mixedsparse.planning.generalized import GeneralizedHypothesis, fit_drawn, lrt

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["GeneralizedTested", "Tested", "read_tests", "tester"]


def read_tests(truth: Parameters, given: Any) -> dict[str, Linear]:
    """Hypotheses by label, of what a user names: terms, coefficients, or linear functions of these."""
    known = fixed_terms(truth)
    terms = type3(known)
    if given is None:
        if not terms:
            raise OptionError("The fixed part has no term to test: say test=, e.g. test='Intercept'.")
        return {label: _zero(L, label) for label, L in terms.items()}
    many = isinstance(given, list | tuple) and all(isinstance(one, str | Mapping) for one in given)
    out: dict[str, Linear] = {}
    for one in given if many else [given]:
        if isinstance(one, str) and one in terms and one not in truth.x_names:
            out[one] = _zero(terms[one], one)
        else:
            linear = read_linear(one, truth.x_names, truth.dropped_columns)
            out[", ".join(linear.labels)] = _decided(known, linear)
    return out


def _decided(terms: FixedTerms, linear: Linear) -> Linear:
    """Write several independent rows as those that fix the degrees of freedom, so that each replicate takes them."""
    if len(linear.L) < 2 or np.linalg.matrix_rank(linear.L) < len(linear.L):
        return linear
    rows = deciding_rows(terms, linear.L)
    turn = np.linalg.lstsq(linear.L.T, rows.T, rcond=None)[0].T
    return replace(linear, L=rows, rhs=turn @ linear.rhs)


def _zero(L: np.ndarray, label: str) -> Linear:
    return Linear(L, np.zeros(len(L)), (label,) * len(L))


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Fits responses drawn from `truth`, and tests each; sent to the workers.

    Called with seeds, it returns p values (b, tests), followed by a column that says which fits are singular.
    """

    truth: Parameters
    tests: Mapping[str, Linear]
    ddf: str

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """One response per seed."""
        truth = self.truth
        design, problem = truth.design, truth.problem
        mean = truth.X @ truth.beta
        mean = mean if design.offset is None else mean + design.offset
        # From theta itself, unless it is singular: there the criterion is stationary.
        start = truth.theta if truth.theta[problem.theta_layout.is_diagonal].all() else None
        values = np.full((len(seeds), len(self.tests) + 1), np.nan)
        failures: dict[int, str] = {}
        for i, moved in enumerate(parametric_sampler(problem, truth)(seeds)):
            evaluate(lambda y=mean + moved: fit_response(truth, y, start=start), self._p_values, values, i, failures)
        return Block(values, failures)

    def _p_values(self, fitted: Fitted) -> np.ndarray:
        return np.array([*(_p_value(fitted, test, self.ddf) for test in self.tests.values()), float(fitted.singular)])


@dataclass(frozen=True, slots=True, eq=False)
class GeneralizedTested(Tested):
    """The same for generalized models; tests are Wald's, or likelihood ratios (`ddf` is ``"lrt"``)."""

    truth: GeneralizedHypothesis

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """One response per seed."""
        values = np.full((len(seeds), len(self.tests) + 1), np.nan)
        failures: dict[int, str] = {}
        for i, y in enumerate(self.truth.sampler(seeds)):
            evaluate(lambda y=y: fit_drawn(self.truth, y), self._p_values, values, i, failures)
        return Block(values, failures)

    def _p_values(self, fitted: Any) -> np.ndarray:
        if self.ddf != "lrt":
            tests = [_p_value(fitted, test, "normal") for test in self.tests.values()]
        else:
            tests = [lrt(fitted, test.L, label) for label, test in self.tests.items()]
        return np.array([*tests, float(fitted.singular)])


def _p_value(fitted: Fitted, test: Linear, ddf: str) -> float:
    if len(test.L) == 1:
        return float(contrast_tests(fitted, test.L, ddf, test.rhs).p[0])
    return joint_test(fitted, test.L, ddf, test.rhs).p


def tester(truth: Parameters, given: Any, ddf: str | None) -> Tested:
    """Return what draws, fits and tests; `ddf` None is that of the kind of model."""
    tests = read_tests(truth, given)
    if not isinstance(truth, GeneralizedHypothesis):
        if ddf == "lrt":
            raise OptionError(
                "ddf='lrt' is for generalized models: use one of 'satterthwaite', 'kenward-roger', 'normal'."
            )
        return Tested(truth, tests, ddf or "satterthwaite")
    if ddf not in (None, "normal", "lrt"):
        raise OptionError(
            f"ddf={ddf!r} needs a residual variance, which a {truth.family.name} response has not: use 'normal' (Wald "
            "tests) or 'lrt' (likelihood ratios)."
        )
    if ddf == "lrt" and any(test.rhs.any() for test in tests.values()):
        raise OptionError("ddf='lrt' tests that functions of coefficients are 0: leave out other values.")
    return GeneralizedTested(truth, tests, ddf or "normal")

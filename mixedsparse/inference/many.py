"""Fits of many responses with one design: in step where that can be done, one by one where it cannot.

Every number is that of a fit of the response alone: what the searches in step cannot settle, and responses whose
missing values are theirs alone, are fitted as any model is.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import stdtr

from mixedsparse.core.batch.accuracy import LOST
from mixedsparse.core.batch.responses import residual_sums
from mixedsparse.core.fitting.effort import rows_per_effect
from mixedsparse.core.fitting.many import ManyFitter
from mixedsparse.core.fitting.many_ends import Many
from mixedsparse.data.formula import checks
from mixedsparse.fitted.fit import fit_model
from mixedsparse.fitted.parameters import Hypothesis
from mixedsparse.ground.errors import DataError, MixedSparseError, MixedSparseWarning
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.evidence import evidence_of
from mixedsparse.inference.many_blocks import Contrasts, ManyBlock, Task
from mixedsparse.inference.on_rows import model_on_rows
from mixedsparse.inference.parameters import Parameter, parameter_values, parameters

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.model import Model

__all__ = ["ResponseFitter", "fit_alone", "response_fitter"]

# Rows per effect below which every optimum is doubtful: such responses are fitted one by one.
_FEW = 2.0
# Share of the sum of squares that X leaves at least: less is rounding.
_PERFECT = 1e-20
# Responses with the same missing values from which on a batch for them is worth while.
_WORTH, _PROBES = 12, 3
_CONVERGED, _BOUNDARY = "converged", "converged on the boundary"


class ResponseFitter:
    """Fits tasks of responses; it is sent to the workers.

    Parameters
    ----------
    model : Model
        Design of all responses, with any response.
    contrasts : Contrasts
    reml : bool
    ddf : {"satterthwaite", "normal"}
    names : tuple of str
        Of the variance components.
    fitter : ManyFitter or None
        None where the responses are fitted one by one.
    """

    def __init__(
        self,
        model: Model,
        contrasts: Contrasts,
        reml: bool,
        ddf: str,
        names: tuple[str, ...],
        fitter: ManyFitter | None,
    ) -> None:
        self.model, self.contrasts, self.reml, self.ddf = model, contrasts, reml, ddf
        self.names, self.fitter = names, fitter
        self.known: tuple[Parameter, ...] = _components(model) if fitter is not None else ()

    def __call__(self, task: Task) -> ManyBlock:
        """Fit the responses of one task."""
        out = ManyBlock.empty(task.numbers, len(self.contrasts.L), self.names)
        missing = np.isnan(task.values)
        patterns: dict[bytes, list[int]] = {}
        for i, packed in enumerate(np.packbits(missing, axis=0).T):
            patterns.setdefault(packed.tobytes(), []).append(i)
        for places in patterns.values():
            at = np.array(places)
            gone = missing[:, places[0]]
            whole = not gone.any()
            out.put(at, self._whole(task.take(at)) if whole else self._of_pattern(task.take(at, ~gone), ~gone))
        return out

    def _of_pattern(self, task: Task, present: np.ndarray) -> ManyBlock:
        """Fit responses that have the rows `present`, and no others."""
        try:
            if not present.any():
                raise DataError("It has no values.")
            model = model_on_rows(self.model, present)
        except MixedSparseError as err:
            out = ManyBlock.empty(task.numbers, len(self.contrasts.L), self.names)
            out.failures.update({int(number): str(err) for number in task.numbers})
            return out
        worth = self.fitter is not None and len(task.numbers) >= _WORTH
        fitter = response_fitter(
            model, task.values[:, :_PROBES], self.contrasts, self.reml, self.ddf, self.names, in_step=worth
        )
        return fitter._whole(task)

    def _whole(self, task: Task) -> ManyBlock:
        """Fit responses without missing values."""
        out = ManyBlock.empty(task.numbers, len(self.contrasts.L), self.names)
        left = np.arange(len(task.numbers))
        if self.fitter is not None:
            left = np.flatnonzero(~self._in_step(task, out))
        for i in left:
            self._alone(task, int(i), out)
        return out

    def _in_step(self, task: Task, out: ManyBlock) -> np.ndarray:
        """Fit together what can be; return the mask of what was."""
        assert self.fitter is not None
        problem, design = self.fitter.problem, self.model.design
        y = task.values if design.offset is None else task.values - design.offset[:, None]
        with blas_threads(0.0), np.errstate(all="ignore"):
            responses, shift = residual_sums(problem, y)
            varied = responses.yy > _PERFECT * np.square(y).sum(axis=0)
            varied &= np.isfinite(responses.yy) & (np.ptp(task.values, axis=0) > 0)
            at = np.flatnonzero(varied)
            found = self.fitter(responses.take(at))
        good = at[found.settled]
        chosen = found.take(found.settled)
        beta = solve_triangular(problem.basis.root, (chosen.gamma + shift[good]).T, check_finite=False).T
        L, known = self.contrasts.of([design.x_names[i] for i in problem.basis.kept])
        estimate = beta @ L.T
        se, df = _errors(problem, chosen, L, self.ddf)
        statistic = (estimate - self.contrasts.rhs) / se
        tests = (estimate, se, df, statistic, 2.0 * stdtr(df, -np.abs(statistic)))
        for name, values in zip(("estimate", "se", "df", "statistic", "p"), tests, strict=True):
            getattr(out, name)[good] = np.where(known, values, np.nan)
        out.components[good] = parameter_values(self.known, beta, chosen.covariances, chosen.sigma)
        out.criterion[good], out.nobs[good] = chosen.criterion, problem.n
        out.verdict[good] = np.where(chosen.boundary, _BOUNDARY, _CONVERGED)
        settled = np.zeros(len(task.numbers), dtype=bool)
        settled[good] = True
        return settled

    def _alone(self, task: Task, i: int, out: ManyBlock) -> None:
        """Fit one response as any model is."""
        number = int(task.numbers[i])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedSparseWarning)
            try:
                fitted = fit_alone(self.model, task.values[:, i], self.reml, task.labels[i])
            except MixedSparseError as err:
                out.failures[number] = str(err)
                return
            L, known = self.contrasts.of(fitted.x_names)
            tests = contrast_tests(fitted, L, self.ddf, self.contrasts.rhs)
        for name, values in zip(
            ("estimate", "se", "df", "statistic", "p"),
            (tests.estimate, tests.se, tests.df, tests.t, tests.p),
            strict=True,
        ):
            getattr(out, name)[i] = np.where(known, values, np.nan)
        found = [p for p in parameters(fitted) if p.kind != "fixed"]
        covariances = [fitted.covariance(t)[None] for t in range(len(fitted.problem.terms))]
        if tuple(p.name for p in found) == self.names:
            out.components[i] = parameter_values(found, fitted.beta[None], covariances, np.array([fitted.sigma]))[0]
        out.criterion[i], out.nobs[i] = fitted.criterion, fitted.nobs
        out.verdict[i] = fitted.fit.certificate.verdict


def response_fitter(
    model: Model,
    sample: np.ndarray,
    contrasts: Contrasts,
    reml: bool,
    ddf: str,
    names: tuple[str, ...] | None = None,
    in_step: bool = True,
) -> ResponseFitter:
    """Make the fitter of responses with the design of `model`.

    Parameters
    ----------
    model : Model
    sample : ndarray, shape (n, s)
        Some of the responses: their fits are what the others start from.
    contrasts, reml, ddf
        See `ResponseFitter`.
    names : tuple of str, optional
        Of the variance components; those of the model by default.
    in_step : bool
        Whether it may be worth while to fit them together.
    """
    probes = _probes(model, sample, reml, in_step and model.residual is None)
    fitter = _fitter(probes, reml) if in_step else None
    if names is None:
        structured = model.problem.is_structured
        if structured:
            probes = probes or _probes(model, sample, reml, True)
            known = parameters(probes[0]) if probes else ()
            names = tuple(p.name for p in known if p.kind != "fixed")
        else:
            names = tuple(p.name for p in _components(model))
    used = model if fitter is None else probes[0].model
    return ResponseFitter(used, contrasts, reml, ddf, names, fitter)


def fit_alone(model: Model, y: np.ndarray, reml: bool, label: str) -> Fitted:
    """Fit y (n,), without missing values and called `label`, to the design of `model` as any response is."""
    design = replace(model.design, y=checks.response(y, label), response=label)
    return fit_model(type(model).of_design(design), reml, progress=False)


def _probes(model: Model, sample: np.ndarray, reml: bool, wanted: bool) -> list[Fitted]:
    """Fits of those of the `sample` that can be fitted, first of all."""
    found = []
    for y in sample.T if wanted else ():
        if np.isfinite(y).all():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixedSparseWarning)
                try:
                    fitted = fit_alone(model, y, reml, model.design.response)
                except MixedSparseError:
                    continue
            if fitted.converged:
                found.append(fitted)
    return found


def _fitter(probes: Sequence[Fitted], reml: bool) -> ManyFitter | None:
    """Make what fits responses in step, from the fits of some; None where that cannot be done."""
    usable = [one for one in probes if one.fit.unidentified is None and not one.fit.certificate.unbounded]
    if not usable or len(usable) < len(probes):
        return None
    first, fit = usable[0], usable[0].fit
    problem = first.problem
    if problem.is_structured or fit.residual is not None or not problem.terms:
        return None
    if rows_per_effect(problem) <= _FEW:
        return None
    found = evidence_of(first).batch()
    if found is None or not found[0].together or found[1] > LOST:
        return None
    return ManyFitter(found[0], [one.fit.search.theta for one in usable], reml)


def _components(model: Model) -> tuple[Parameter, ...]:
    """Return standard deviations, correlations and sigma of a model without structures."""
    problem = model.problem
    nothing = Hypothesis(model, np.zeros(problem.p), np.zeros(problem.n_theta), 1.0)
    return tuple(p for p in parameters(nothing) if p.kind != "fixed")


def _errors(problem: Problem, found: Many, L: np.ndarray, ddf: str) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors (b, c) of L beta, and Satterthwaite's degrees of freedom; see `satterthwaite`.

    With v = sigma^2 l'K l and the parameters in coordinates of covariance I, df = 2 / |d log v|^2.
    """
    rows = solve_triangular(problem.basis.root, L.T, trans="T", check_finite=False).T if len(problem.basis.root) else L
    variance = np.einsum("cp,bpq,cq->bc", rows, found.K, rows)
    se = found.sigma[:, None] * np.sqrt(variance)
    if ddf == "normal":
        return se, np.full(se.shape, np.inf)
    change = np.einsum("cp,bdpq,cq->bcd", rows, found.K_rates, rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = change / variance[:, :, None] + found.scale_rates[:, None, :]
        return se, 2.0 / np.square(relative).sum(axis=2)

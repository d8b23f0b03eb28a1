"""New responses from a fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.newdata import NewTerm
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.ground.checks import check_draws
from mixedsparse.ground.errors import BackendError, DataError
from mixedsparse.prediction.rows import Rows, check_known, chosen_groups, read_rows, row_weights

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["drawn_terms", "incomplete", "simulate"]


def simulate(
    parameters: Parameters,
    nsim: int = 1,
    seed: int | None = None,
    newdata: Any = None,
    random: str | Sequence[str] = "redraw",
    *,
    weights: Any = None,
    offset: Any = None,
) -> pd.DataFrame:
    """Draw responses; see `MixedResults.simulate`."""
    check_draws(nsim, seed)
    if newdata is not None and parameters.problem.whitener is not None:
        raise BackendError(
            "Rows of residual= are correlated with each other, and with those of the fit: simulate() draws the rows of "
            "the fit, without newdata."
        )
    kept = chosen_groups(parameters, "population" if isinstance(random, str) and random == "redraw" else random)
    rows = read_rows(parameters, newdata, tuple(parameters.ngroups), (), offset)
    check_known(parameters, rows, kept, "Their random effects cannot be kept: use random='redraw' to draw new ones.")
    # Draws, and the responses made of them.
    check_memory(24.0 * rows.n * nsim, f"{nsim:,} responses of {rows.n:,} rows", "ask for fewer at a time")
    noise = row_weights(parameters, rows, weights)
    mean = rows.means(parameters, kept)
    complete = np.isfinite(mean) & ~np.any([incomplete(new) for new in rows.terms], axis=0)
    complete &= True if noise is None else np.isfinite(noise)
    out = np.full((rows.n, nsim), np.nan)
    if complete.any():
        draws = _sampled(parameters, rows, complete, kept, noise)(np.random.SeedSequence(seed).spawn(nsim))
        out[complete] = mean[complete, None] + draws.T
    return pd.DataFrame(out, index=rows.index)


def incomplete(new: NewTerm | None) -> np.ndarray:
    """Mask of the rows whose random part is not known (n,)."""
    assert new is not None
    return new.missing | np.isnan(new.z).reshape(len(new.z), -1).any(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """What draws need: sigma^2, and Lambda_t of each term; modes are not drawn from."""

    sigma2: float
    templates: tuple[np.ndarray, ...]
    modes: tuple[np.ndarray, ...]


def _sampled(
    parameters: Parameters, rows: Rows, complete: np.ndarray, kept: Collection[str], weights: np.ndarray | None
) -> Any:
    """Sampler of Z b + e for the `complete` rows; factors of `kept` draw effects of 0, so that all else is the same."""
    drawn, templates = drawn_terms(parameters, rows, complete, kept)
    root = None if weights is None else np.sqrt(weights[complete])
    return parametric_sampler(
        replace(parameters.problem, n=int(complete.sum()), terms=drawn, root_weights=root),
        _Spread(parameters.sigma2, templates, ()),
    )


def drawn_terms(
    parameters: Parameters, rows: Rows, complete: np.ndarray, kept: Collection[str]
) -> tuple[tuple[RandomTerm, ...], tuple[np.ndarray, ...]]:
    """Terms of the `complete` rows whose effects are drawn, and Lambda_t of each: 0 for factors that are `kept`."""
    problem = parameters.problem
    templates = tuple(
        np.zeros_like(lam) if term.group in kept else lam
        for term, lam in zip(problem.terms, parameters.templates, strict=True)
    )
    drawn = tuple(
        RandomTerm(term.group, codes, new.z[complete], term.columns, precision=term.precision)
        for term, new, codes in zip(problem.terms, rows.terms, _codes(parameters, rows, complete), strict=True)
        if new is not None
    )
    return drawn, templates


def _codes(parameters: Parameters, rows: Rows, complete: np.ndarray) -> list[np.ndarray]:
    """Codes of the `complete` rows per term, theta order, without gaps; each unseen level has one of its own.

    Those of related levels stay what they are.
    """
    out = []
    for t, (term, new) in enumerate(zip(parameters.problem.terms, rows.terms, strict=True)):
        assert new is not None
        codes = new.codes.copy()
        if new.unseen and not term.is_plain:
            raise DataError(
                f"{term.group} has levels that the fit has not seen, such as {new.unseen[0]!r}: responses are drawn "
                "for its own levels only. Leave these rows out."
            )
        if new.unseen:
            codes[codes < 0] = term.n_levels + _unseen_codes(parameters, rows, t)
        codes = codes[complete]
        if term.precision is None:
            codes = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
        out.append(codes)
    return out


def _unseen_codes(parameters: Parameters, rows: Rows, t: int) -> np.ndarray:
    """Tell the unseen levels of term `t` apart: a code for each row with code -1."""
    design, new = parameters.design, rows.terms[t]
    assert design.encoding is not None
    assert new is not None
    assert rows.table is not None
    grouping = design.encoding.terms[parameters.problem.order[t]].grouping
    names = {design.encoding.parsed.names[alias] for atom in grouping.atoms for alias in aliases_in(atom.code)}
    at = new.codes < 0
    columns = [pd.factorize(values[at])[0] for values in rows.table.read(sorted(names), grouping.name).values()]
    found, codes = np.unique(np.column_stack(columns)[~new.missing[at]], axis=0, return_inverse=True)
    if len(found) != len(new.unseen):
        raise DataError(
            f"The grouping factor {grouping.name!r} has {len(new.unseen)} levels that the fit has not seen, made from "
            f"{len(found)} combinations of its columns: make it a column of the data, so that they can be told apart."
        )
    out = np.zeros(int(at.sum()), dtype=np.intp)
    out[~new.missing[at]] = codes.ravel()
    return out

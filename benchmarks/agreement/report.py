"""The comparison as text, model by model and in sum."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.agreement.comparison import Agreement

__all__ = ["details", "summary"]


def details(one: Agreement) -> str:
    """Return the worst difference of every figure of one model."""
    if one.error is not None:
        return f"{one.model}: not compared: {one.error}"
    worst = max(one.optimum, key=lambda figure: one.optimum[figure])
    lines = [f"{one.model}: worst difference {one.optimum[worst]:.1e} ({worst}){_remark(one)}"]
    lines.append(f"  {'':16s} {'at optimum':>10s} {'same theta':>10s}")
    for figure, value in one.optimum.items():
        same = f"{one.same_theta[figure]:10.1e}" if figure in one.same_theta else ""
        lines.append(f"  {figure:16s} {value:10.1e} {same}".rstrip())
    return "\n".join(lines)


def _remark(one: Agreement) -> str:
    if one.excess > 0:
        return f"; lme4 stops {one.excess:.2g} above the optimum, differences there are its optimiser's"
    if one.excess < 0:
        return f"; MIXEDSPARSE STOPS {-one.excess:.2g} ABOVE lme4's optimum"
    return f"; lme4's criterion is ours {one.gap:+.0e}"


def summary(found: Sequence[Agreement], versions: str) -> str:
    """Return the worst differences over all models, and the names of those that are no comparison."""
    compared = [one for one in found if one.error is None]
    lines = [f"{len(compared)} models compared with {versions}."]
    if compared:
        lines.append(f"At the same theta, the worst difference is {_worst(compared, 'same_theta')}.")
    reached = [one for one in compared if one.excess == 0]
    if reached:
        at = f"At the optimum, where both reach it ({len(reached)} models)"
        lines.append(f"{at}, the worst difference is {_worst(reached, 'optimum')}.")
    above = [f"{one.model} ({one.excess:.2g})" for one in compared if one.excess > 0]
    lines.append(f"lme4 stops above the optimum: {', '.join(above) if above else 'nowhere'}.")
    lines += [f"MIXEDSPARSE STOPS ABOVE lme4: {one.model} ({-one.excess:.2g})." for one in compared if one.excess < 0]
    lines += [f"Not compared: {one.model}: {one.error}." for one in found if one.error is not None]
    return "\n".join(lines)


def _worst(found: Sequence[Agreement], kind: str) -> str:
    value, figure, model = max(
        (value, figure, one.model) for one in found for figure, value in getattr(one, kind).items()
    )
    return f"{value:.1e} ({figure} of {model})"

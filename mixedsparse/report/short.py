"""What ``print(fit)`` shows: the estimates in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.report import parts, text
from mixedsparse.report.journal import Journal, with_deviations

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["short"]

_WIDTH = 88


def short(fitted: Fitted) -> str:
    """Lay out criterion, sizes, coefficients beside standard deviations of random effects, and what is amiss."""
    error = np.sqrt(np.diagonal(fitted.cov_beta))
    columns = {"Estimate": fitted.fit.beta, "SE": error, "t" if fitted.has_residual else "z": fitted.fit.beta / error}
    table, residuals = with_deviations(fitted, pd.DataFrame(columns, index=fitted.x_names))
    criterion = "REML criterion" if fitted.has_residual and fitted.reml else "-2 log L"
    facts = parts.facts(fitted)
    formula = facts.pop("Formula")
    sizes = "; ".join(f"{name}: {value}" for name, value in facts.items())
    lines = [text.paragraph(formula, _WIDTH), text.paragraph(f"{criterion} {fitted.criterion:.2f}; {sizes}", _WIDTH)]
    lines += ["", text.lay_out(Journal(table, ()).cells(), _WIDTH)]
    lines += ["", *residuals] if residuals else []
    for note in parts.notes_of_order(fitted):
        lines += ["", text.paragraph(note, _WIDTH)]
    if fitted.singular or not fitted.converged:
        lines += ["", text.paragraph(fitted.fit.certificate.message, _WIDTH)]
    return "\n".join(lines)

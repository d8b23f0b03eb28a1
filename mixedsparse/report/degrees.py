"""What reports say of the methods for degrees of freedom."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["WORDS"]


class Words(NamedTuple):
    """A note below a table, the end of "tested ...", and what stands before "degrees of freedom"."""

    note: str
    tested: str
    whose: str


WORDS = {
    "satterthwaite": Words(
        "t with Satterthwaite's degrees of freedom",
        "by t tests with Satterthwaite's degrees of freedom",
        "Satterthwaite's",
    ),
    "kenward-roger": Words(
        "t with Kenward-Roger's standard errors and degrees of freedom",
        "by t tests with Kenward and Roger's standard errors and degrees of freedom",
        "Kenward and Roger's",
    ),
    "normal": Words("normal reference distribution", "against the normal distribution", "infinite"),
}

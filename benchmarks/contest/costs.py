"""Calls so long that a run leaves them out, with the seconds expected and where that number comes from.

A contest of hopeless calls measures nothing but its own time limit. What is listed here was measured on two cores of an
AMD EPYC, or is scaled from such a measurement as the entry says; calls that are not listed are taken to be short.
``--all`` makes every call, within the limit of a call.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXPECTED", "Cost", "reason_to_skip"]

# A call that was given up is tried again in runs whose limit is this many times as long.
BEYOND = 4.0


@dataclass(frozen=True)
class Cost:
    """Seconds of one call, and the `basis` of the number; `at_least` if calls were given up after so long."""

    seconds: float
    basis: str = "measured before"
    at_least: bool = False

    def exceeds(self, longest: float) -> bool:
        """Whether the call is hopeless in a run of calls up to `longest` seconds."""
        return self.seconds * (BEYOND if self.at_least else 1.0) > longest


_DENSE = "dense crossed designs: 11 GB and no end after 80 s with 73,421 rows and 4,114 levels"
_NO_END = "measured before, it did not end within 110 s"
_KB07 = "measured before, it did not end within 45 s"
_THREE = "three fits did not end within 320 s"
_LIKE = f"like insteval3, where {_THREE}"
_ITEMS = "by the third power of the number of items"

EXPECTED: dict[tuple[str, str], Cost] = {
    ("lme4", "insteval_slopes"): Cost(37),
    ("lme4", "psych60"): Cost(19),
    ("lme4", "kb07"): Cost(18),
    ("lme4", "ratings1m"): Cost(72),
    ("lme4", "ratings5m"): Cost(1400, f"72 s on ratings1m, scaled {_ITEMS}; it did not end within 660 s"),
    ("mixedlm", "insteval_slopes"): Cost(14),
    ("mixedlm", "kb07"): Cost(75),
    ("mixedlm", "ratings1m"): Cost(113),
    ("mixedlm", "ratings5m"): Cost(2200, f"113 s on ratings1m, scaled {_ITEMS}"),
    ("lme-python", "star"): Cost(64),
    ("lme-python", "insteval3"): Cost(110, _THREE, at_least=True),
    ("lme-python", "insteval_dept_service"): Cost(
        110, "like insteval3, where three fits did not end within 320 s", at_least=True
    ),
    ("lme-python", "kb07"): Cost(45, _KB07, at_least=True),
    ("lme-python", "psych60"): Cost(11),
    ("lme-python", "ratings100k"): Cost(110, _NO_END, at_least=True),
    ("lme-python", "ratings1m"): Cost(3500, f"110 s on ratings100k, scaled {_ITEMS}", at_least=True),
    ("lme-python", "ratings5m"): Cost(69000, f"110 s on ratings100k, scaled {_ITEMS}", at_least=True),
    ("interlace", "star"): Cost(13),
    ("interlace", "insteval3"): Cost(110, _THREE, at_least=True),
    ("interlace", "insteval_dept_service"): Cost(
        110, "like insteval3, where three fits did not end within 320 s", at_least=True
    ),
    ("interlace", "kb07"): Cost(45, _KB07, at_least=True),
    ("interlace", "psych60"): Cost(78),
    ("interlace", "ratings10k"): Cost(6.5),
    ("interlace", "ratings100k"): Cost(110, _NO_END, at_least=True),
    ("interlace", "ratings1m"): Cost(3500, f"110 s on ratings100k, scaled {_ITEMS}", at_least=True),
    ("interlace", "ratings5m"): Cost(69000, f"110 s on ratings100k, scaled {_ITEMS}", at_least=True),
    ("gpboost", "star"): Cost(8),
    ("gpboost", "insteval3"): Cost(11),
    ("gpboost", "insteval_dept_service"): Cost(11, "like insteval3"),
    ("gpboost", "ratings1m"): Cost(230, f"7 s on ratings100k, scaled {_ITEMS}"),
    ("gpboost", "ratings5m"): Cost(4600, f"7 s on ratings100k, scaled {_ITEMS}"),
    ("gpboost-iterative", "chem97"): Cost(9),
    ("gpboost-iterative", "ratings1m"): Cost(8),
    ("gpboost-iterative", "ratings5m"): Cost(200),
    ("statsmodels", "chem97"): Cost(110, _NO_END, at_least=True),
    ("statsmodels", "star"): Cost(3600, _DENSE),
    ("statsmodels", "insteval3"): Cost(3600, _DENSE),
    ("statsmodels", "insteval_dept_service"): Cost(3600, _DENSE),
    ("statsmodels", "psych60_intercepts"): Cost(103),
    ("statsmodels", "ratings10k"): Cost(73),
    ("statsmodels", "ratings100k"): Cost(3600, _DENSE),
    ("statsmodels", "ratings1m"): Cost(36000, _DENSE),
    ("statsmodels", "ratings5m"): Cost(360000, _DENSE),
}


def reason_to_skip(engine: str, problem: str, longest: float | None) -> str | None:
    """Return why a call of `engine` on `problem` is left out of a run of calls up to `longest` seconds, None if not."""
    cost = EXPECTED.get((engine, problem))
    if cost is None or longest is None or not cost.exceeds(longest):
        return None
    about = f"{'at least' if cost.at_least else 'about'} {cost.seconds:,.0f} s expected ({cost.basis})"
    return f"{about}, too long for calls up to {longest:.0f} s; --all runs it"

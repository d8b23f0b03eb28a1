"""Text that is none: numbers, dates and times that a reader of files left as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["MANY", "misread"]

# What text may hold instead: numbers, plain (also with a unit) or with commas, dates, times and durations.
_SIGNS = "+-\N{MINUS SIGN}$€£¥% "
_PLAIN = re.compile(r"[+\-\N{MINUS SIGN}]?[$€£¥]? ?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? ?[%€]?")
_WITH_COMMA = re.compile(r"[+-]?(\d{1,3}([.' ]\d{3})*|\d*),\d+([eE][+-]?\d+)?|[+-]?\d{1,3}(,\d{3})+\.\d+")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})([ T]\d.*)?")
_TIME = re.compile(r"([+-]?\d+ days?,? ?)?[+-]?\d{1,3}:[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp]\.?[Mm]\.?)?|[+-]?\d+ days?")
# What stands for a missing value among numbers. Words that may be a level, such as "none" or "missing", do not.
_MARKS = frozenset(("", ".", "..", "-", "--", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>"))
_MOST = 0.9  # share of the levels that are numbers where the others are neither numbers nor marks
MANY = 10  # a factor has no more levels than this that are called by fractions, dates or times


def misread(levels: Sequence[str], n: int) -> str:
    """Say what text with these distinct values, in `n` rows, holds in truth, and the mend; nothing where it is text.

    The rule is stated in `mixedsparse.data.formula.kinds.check_text`.
    """
    marks, commas, plain, dates, times = [], [], [], [], []
    for level in levels:
        if level in _MARKS:
            marks.append(level)
        elif _PLAIN.fullmatch(level):
            plain.append(level)
        elif _WITH_COMMA.fullmatch(level):
            commas.append(level)
        elif _DATE.fullmatch(level):
            dates.append(level)
        elif _TIME.fullmatch(level):
            times.append(level)
    found = plain + commas
    complete = bool(found) and len(found) + len(marks) == len(levels)
    missing = f", and {marks[0]!r} for a missing value" if marks else ""
    if complete and commas:
        return (
            f"numbers as text (e.g. {commas[0]!r}{missing}): read it with decimal=',' (or thousands=','), or convert "
            "it, e.g. with .str.replace(',', '.').astype(float)"
        )
    if complete and marks:
        return (
            f"numbers as text (e.g. {plain[0]!r}{missing}): read it with na_values=[{marks[0]!r}], or convert it, e.g. "
            "with pandas.to_numeric(..., errors='coerce')"
        )
    many = f"{len(levels)} different ones in {n} rows"
    if len(levels) > MANY and len(dates) >= _MOST * len(levels):
        return (
            f"dates as text (e.g. {dates[0]!r}, {many}): convert it with pandas.to_datetime and then to a number, e.g. "
            "the days since the first"
        )
    if len(levels) > MANY and len(times) >= _MOST * len(levels):
        return (
            f"times as text (e.g. {times[0]!r}, {many}): convert them to numbers, e.g. seconds: "
            "pandas.to_timedelta reads '12:30:00'"
        )
    fractions = any(not level.strip(_SIGNS).isdigit() for level in found)
    if len(levels) > MANY and len(found) >= _MOST * len(levels) and (fractions or 2 * len(levels) > n):
        known = set(found)
        others = [level for level in levels if level not in known]
        example = " and ".join(map(repr, [found[0], *others[:1]]))
        signs = any(sign in found[0] for sign in _SIGNS[2:])
        how = "by hand: to_numeric reads no signs of units" if signs else "e.g. with pandas.to_numeric"
        return f"numbers as text (e.g. {example}, {many}): convert it, {how}"
    return ""

"""The order of the rows within groups: times and visits, and the residual structures over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.residual.exchangeable import Exchangeable
from mixedsparse.core.residual.interface import Residual
from mixedsparse.core.residual.series import Series
from mixedsparse.core.residual.templates import (
    Autoregressive,
    CompoundSymmetric,
    Template,
    ToeplitzTemplate,
    UnstructuredTemplate,
)
from mixedsparse.core.residual.visits import Visits
from mixedsparse.data.formula.frames import natural
from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.data.formula.levels import factorise
from mixedsparse.data.formula.residual_text import ResidualText
from mixedsparse.ground.errors import DataError

__all__ = ["Order", "make_structure", "order_of"]

# Visits up to which a covariance over them is written out.
_MOST_VISITS = 100
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Where the rows stand in their groups.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Visit of each row.
    labels : tuple of str
        Names of the visits.
    places : ndarray, shape (visits,)
        Time of each visit: its number, or its place among the levels of the factor.
    is_number : bool
        Whether times are numbers.
    """

    codes: np.ndarray
    labels: tuple[str, ...]
    places: np.ndarray
    is_number: bool


def order_of(values: Any, text: ResidualText) -> Order:
    """Order of a column: numbers by size, factors by their levels; levels that read as numbers by these.

    Raises
    ------
    DataError
        The column holds what is neither.
    """
    plain = natural(values)
    sort = sort_of(plain)
    if sort not in (Sort.NUMBERS, Sort.CATEGORIES, Sort.TEXT, Sort.TRUTH):
        raise DataError(
            f"residual={text.text!r}: the column {text.left!r} holds {sort.value}; convert it to numbers, such as days "
            "since the first, or to text where each is a visit."
        )
    if sort is Sort.NUMBERS:
        found, codes = np.unique(np.asarray(plain, dtype=float), return_inverse=True)
        return Order(codes.reshape(-1), tuple(f"{value:g}" for value in found), found, True)
    codes, levels = factorise(natural(values, labels=True), text.left)
    labels = [str(level) for level in levels]
    is_ordered = isinstance(plain, pd.Categorical) and bool(plain.ordered)
    if not is_ordered and all(_NUMBER.fullmatch(label.strip()) for label in labels):
        numbers = np.array([float(label) for label in labels])
        rank = np.argsort(numbers, kind="stable")
        back = np.empty_like(rank)
        back[rank] = np.arange(len(rank))
        return Order(back[codes], tuple(labels[i] for i in rank), numbers[rank], True)
    places = np.arange(len(levels), dtype=float)
    if isinstance(plain, pd.Categorical):
        # Levels that do not occur keep their place.
        places = pd.Index(plain.categories.astype(str)).get_indexer(labels).astype(float)
    return Order(codes, tuple(labels), places, False)


def make_structure(text: ResidualText, groups: np.ndarray, levels: np.ndarray, order: Order | None) -> Residual:
    """Residual structure of rows in `groups` (n,), whose names are `levels`.

    Raises
    ------
    DataError
        Two rows of a group are at one time, times do not suit the structure, or no group has two rows.
    """
    if np.bincount(groups).max() < 2:
        raise DataError(
            f"residual={text.text!r}: no {text.group} has two rows, so there are no correlations within it: name a "
            "coarser group, or leave out residual=."
        )
    if order is None:
        return Exchangeable(groups, text.group)
    _check_ties(text, groups, levels, order)
    if text.kind == "car1":
        if not order.is_number:
            raise DataError(
                f"residual={text.text!r}: {text.left!r} is a factor, and car1 needs times: convert it to numbers, or "
                f"write 'ar1({text.left} | {text.group})' for steps of equal length."
            )
        return Series(groups, order.places[order.codes], text.group, continuous=True)
    if text.kind == "ar1" and not (order.places == np.round(order.places)).all():
        odd = order.places[order.places != np.round(order.places)][0]
        raise DataError(
            f"residual={text.text!r}: times of ar1 must be whole numbers, and {text.left!r} has {odd:g}: write "
            f"'car1({text.left} | {text.group})' for times that are not."
        )
    if text.kind == "ar1" and text.hom:
        return Series(groups, order.places[order.codes], text.group)
    if text.kind == "cs" and text.hom:
        return Exchangeable(groups, text.group)
    return Visits(groups, order.codes, order.labels, _template(text, order))


def _template(text: ResidualText, order: Order) -> Template:
    k = len(order.labels)
    if not 2 <= k <= _MOST_VISITS:
        raise DataError(
            f"residual={text.text!r}: {text.left!r} has {k} different values; {text.kind} with variances of each takes "
            f"2 to {_MOST_VISITS}: use 'ar1' or 'car1' for series, or a coarser visit."
        )
    make: dict[str, Callable[[], Template]] = {
        "us": lambda: UnstructuredTemplate(k),
        "cs": lambda: CompoundSymmetric(k, not text.hom),
        "ar1": lambda: Autoregressive(k, not text.hom, order.places),
        "toep": lambda: ToeplitzTemplate(k, not text.hom),
    }
    return make[text.kind]()


def _check_ties(text: ResidualText, groups: np.ndarray, levels: np.ndarray, order: Order) -> None:
    key = groups.astype(np.int64) * len(order.labels) + order.codes
    found, counts = np.unique(key, return_counts=True)
    if counts.max() > 1:
        group, visit = divmod(int(found[counts.argmax()]), len(order.labels))
        number = {2: "two", 3: "three"}.get(int(counts.max()), str(int(counts.max())))
        raise DataError(
            f"residual={text.text!r}: {text.group} {str(levels[group])!r} has {number} rows at {text.left} "
            f"{order.labels[visit]}, and {text.kind} needs one: average them, or name a finer group."
        )

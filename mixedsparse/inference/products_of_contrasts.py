"""Interaction contrasts: products of contrasts of each factor, as differences of differences are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.contrasts_of_means import Coefficients, coefficients, labels

__all__ = ["methods_of", "products"]


def methods_of(
    interaction: Any, method: Any, factors: Sequence[str], ref: Hashable | None = None
) -> dict[str, Any] | None:
    """Return the method of each of the `factors`; None where no interaction contrasts are wanted.

    Raises
    ------
    OptionError
        There are methods for other factors, or too few.
    """
    if interaction is False or interaction is None:
        return None
    if ref is not None:
        raise OptionError(f"ref={ref!r} is for contrasts of means; give interaction= a dict of coefficients instead.")
    if interaction is True or isinstance(interaction, str) or callable(interaction):
        return dict.fromkeys(factors, method if interaction is True else interaction)
    if isinstance(interaction, Mapping):
        if set(interaction) != set(factors):
            raise OptionError(
                f"interaction= has methods for {', '.join(map(repr, interaction)) or 'nothing'}, but the factors are "
                f"{', '.join(map(repr, factors))}: give one for each, e.g. {dict.fromkeys(factors, 'pairwise')!r}."
            )
        return {name: interaction[name] for name in factors}
    if not isinstance(interaction, Sequence) or len(interaction) != len(factors):
        raise OptionError(
            f"interaction={interaction!r}: give True, one method, or one for each of {', '.join(map(repr, factors))}."
        )
    return dict(zip(factors, interaction, strict=True))


def products(frame: pd.DataFrame, methods: Mapping[str, Any]) -> tuple[list[list[str]], Coefficients]:
    """Names, a list for each factor, and coefficients of the products of contrasts of each factor.

    Parameters
    ----------
    frame : DataFrame, k rows
        Levels of the factors at each mean: every combination once.
    methods : dict
        Factor -> method of its contrasts; see `coefficients`.

    Raises
    ------
    OptionError
        Some combinations are not there, as with nested factors.
    """
    values = {name: list(dict.fromkeys(frame[name])) for name in methods}
    sizes = [len(levels) for levels in values.values()]
    codes = [pd.Index(levels).get_indexer(pd.Index(frame[name])) for name, levels in values.items()]
    place = np.ravel_multi_index(codes, sizes, order="F") if codes else np.zeros(len(frame), dtype=np.intp)
    if sorted(place.tolist()) != list(range(int(np.prod(sizes)))):
        raise OptionError(
            f"Interaction contrasts need every combination of {', '.join(map(repr, methods))}, and some do not occur: "
            "compare nested factors with by=, or give a dict with one number per mean."
        )
    matrix, names = np.ones((1, 1)), []
    for name, method in methods.items():  # the first factor varies fastest, in means and in contrasts
        found = coefficients(method, labels(pd.DataFrame({name: values[name]}), prefix=False))
        names.append(list(found.names))
        matrix = np.kron(found.matrix, matrix)
    counts = [len(own) for own in names]
    at = np.unravel_index(np.arange(len(matrix)), counts, order="F") if len(matrix) else [[]] * len(counts)
    listed = [[own[i] for i in code] for own, code in zip(names, at, strict=True)]
    return listed, Coefficients((), matrix[:, place], "none")

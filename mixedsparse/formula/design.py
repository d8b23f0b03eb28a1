"""From a formula and a data frame to the arrays of a linear mixed model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.terms import RandomTerm
from mixedsparse.errors import DataError, FormulaError
from mixedsparse.formula import checks
from mixedsparse.formula.contrasts import Contrast, Coding, read_contrasts
from mixedsparse.formula.encoders import Encoder, evaluate, fit_encoder
from mixedsparse.formula.frames import Table, column_error, missing_rows, natural, open_table, take
from mixedsparse.formula.grouping import Grouping, factorise
from mixedsparse.formula.names import caller_names, candidates
from mixedsparse.formula.newdata import Encoding, NewMatrices, TermEncoding, encode_new
from mixedsparse.formula.parse import Expression, ParsedFormula, UnknownNames, parse

__all__ = ["Design", "make_design"]


@dataclass(frozen=True, eq=False)
class Design:
    """The arrays of a linear mixed model, and how to repeat them on new data.

    Parameters
    ----------
    formula : str
        As typed.
    response : str
        Left side as typed.
    y : ndarray, shape (n,)
        Response; the offset is not subtracted.
    X : ndarray, shape (n, p)
        Fixed-effects design.
    x_names : tuple of str, length p
        Names of the columns of X: ``Intercept``, ``Days``, ``service[T.1]``, ``A[S.a]:B[S.x]``.
    x_terms : dict
        Columns of each term, ``{"1": slice(0, 1), "A:B": slice(1, 5)}``.
    terms : tuple of RandomTerm
        In the order of the formula; ``a/b`` is two terms, ``||`` one term per column.
    weights, offset : ndarray, shape (n,), or None
    index : pandas.Index, length n
        Index of the data, kept rows only.
    nmissing : int
        Number of rows left out because a variable used was missing.
    missing : dict
        Number of missing values in each column that has any.
    encoding : Encoding
        What `matrices` needs.
    """

    formula: str
    response: str
    y: np.ndarray
    X: np.ndarray
    x_names: tuple[str, ...]
    x_terms: Mapping[str, slice]
    terms: tuple[RandomTerm, ...]
    weights: np.ndarray | None
    offset: np.ndarray | None
    index: pd.Index
    nmissing: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    encoding: Encoding | None = None

    def matrices(self, newdata: Any, *, groups: Sequence[str] | None = None) -> NewMatrices:
        """Encode `newdata` exactly as the training data were encoded.

        Parameters
        ----------
        newdata : data frame
            Needs the columns of the right side, not the response.
        groups : sequence of str, optional
            Grouping factors wanted, by name; all by default. Columns that only other terms use may be absent.

        Returns
        -------
        NewMatrices
            A row for each row of `newdata`; NaN where a variable is missing.

        Raises
        ------
        DataError
            A fixed factor has a level that the fit has not seen, or a column is absent or of another kind.
        """
        return encode_new(self.encoding, newdata, groups)

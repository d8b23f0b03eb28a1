"""Find, describe and load the bundled data sets."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mixedsparse.ground.errors import DataError
from mixedsparse.ground.foreign import explains_arguments

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import pandas as pd

__all__ = ["Column", "Description", "describe", "load", "names"]

DTYPES = {"integer": "int64", "float": "float64", "factor": str, "ordered": str}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its `name`, `kind` (integer, float, factor, ordered), `unit` ("" where none) and `meaning`."""

    name: str
    kind: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, repr=False)
class Description:
    """What is known about one data set; printing it shows everything.

    Parameters
    ----------
    name, title : str
        Name for `load`, and what the data are in a few words.
    n_rows : int
        Number of rows.
    columns : tuple of Column
        One entry per column, in the order of the data.
    notes : str
        Design of the study and anything a user should know before fitting.
    example : str
        A formula that suits the data.
    source, reference : str
        Where this copy comes from, and the publication to cite.
    """

    name: str
    title: str
    n_rows: int
    columns: tuple[Column, ...]
    notes: str
    example: str
    source: str
    reference: str

    def __repr__(self) -> str:
        width = max(len(c.name) for c in self.columns)
        kinds = [c.kind + (f", {c.unit}" if c.unit else "") for c in self.columns]
        lines = [f"{self.name}: {self.title} ({self.n_rows:,} rows)", "", *textwrap.wrap(self.notes, 100), ""]
        lines += [f"  {c.name:<{width}}  {c.meaning} [{k}]" for c, k in zip(self.columns, kinds, strict=True)]
        lines += ["", f"Example:   {self.example}", f"Source:    {self.source}", f"Reference: {self.reference}"]
        return "\n".join(lines)


def names() -> list[str]:
    """List the names of the bundled data sets.

    Returns
    -------
    list of str
        In alphabetical order, ignoring case.

    Examples
    --------
    >>> from mixedsparse import datasets
    >>> datasets.names()[:3]
    ['cake', 'cbpp', 'Chem97']
    """
    return sorted(_catalogue(), key=str.casefold)


@explains_arguments
def describe(name: str) -> Description:
    """Describe a data set: source, design, and the meaning and unit of each column.

    Parameters
    ----------
    name : str
        One of `names`, in any case.

    Returns
    -------
    Description
        Prints as a readable page.

    Raises
    ------
    DataError
        There is no such data set.

    Examples
    --------
    >>> from mixedsparse import datasets
    >>> [(c.name, c.unit) for c in datasets.describe("sleepstudy").columns]
    [('Reaction', 'ms'), ('Days', 'days'), ('Subject', '')]
    """
    key, entry = _find(name)
    columns = tuple(Column(c, note["kind"], note["unit"], note["meaning"]) for c, note in entry["columns"].items())
    texts = {field: entry[field] for field in ("title", "n_rows", "notes", "example", "source", "reference")}
    return Description(name=key, columns=columns, **texts)


@explains_arguments
def load(name: str) -> pd.DataFrame:
    """Load a data set as a new pandas DataFrame.

    Parameters
    ----------
    name : str
        One of `names`, in any case.

    Returns
    -------
    DataFrame
        Factors are categorical with string labels, in the order of the original; ordered factors are ordered.

    Raises
    ------
    DataError
        There is no such data set.

    Examples
    --------
    >>> from mixedsparse import datasets
    >>> pastes = datasets.load("Pastes")
    >>> pastes.shape, pastes["cask"].cat.categories.tolist()
    ((60, 4), ['a', 'b', 'c'])
    """
    import pandas as pd

    _, entry = _find(name)
    notes = entry["columns"]
    dtypes = {column: DTYPES[note["kind"]] for column, note in notes.items()}
    compression = "gzip" if entry["file"].endswith(".gz") else None
    with (_folder() / entry["file"]).open("rb") as file:
        frame = pd.read_csv(file, dtype=dtypes, na_values=["NA"], keep_default_na=False, compression=compression)
    for column, note in notes.items():
        if "levels" in note:
            levels = _levels(note["levels"], frame[column].unique())
            frame[column] = pd.Categorical(frame[column], categories=levels, ordered=note["kind"] == "ordered")
    return frame


def _levels(rule: str | list[str], labels: Any) -> list[str]:
    """Levels in order: a list as it stands, or the labels sorted as numbers or as text."""
    if isinstance(rule, list):
        return rule
    return sorted(labels, key=int if rule == "numeric" else str)


def _find(name: str) -> tuple[str, dict[str, Any]]:
    by_folded_name = {key.casefold(): key for key in _catalogue()}
    key = by_folded_name.get(str(name).casefold())
    if key is None:
        raise DataError(f"There is no bundled data set {name!r}. There are: {', '.join(names())}.")
    return key, _catalogue()[key]


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    catalogue: dict[str, dict[str, Any]] = json.loads((_folder() / "catalogue.json").read_text(encoding="utf-8"))
    return catalogue


def _folder() -> Traversable:
    from importlib.resources import files  # imported only when data are asked for

    return files("mixedsparse.datasets") / "data"

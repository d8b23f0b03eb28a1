"""Load the golden files: reference fits by lme4 (golden/make_golden.py) and the hard models (data/hard/cases.json)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import mixedsparse.datasets as bundled

HERE = Path(__file__).resolve().parent
GOLDEN, DATA, HARD = HERE / "golden", HERE / "data", HERE / "data" / "hard"

BUNDLED_AS = {"fhch_lexdec": "fhch"}  # reference name -> bundled name, where they differ
CONTRASTS = {"contr.sum": "sum", "contr.helmert": "helmert", "contr.treatment": "treatment", "contr.poly": "poly"}


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One reference fit: R's formula text and call, and R's numbers in `want` (the keys of the golden file).

    Theta in `want` has lme4's order: terms by decreasing number of levels, and among ties reversed wherever lme4
    had to reorder; `theta_candidates` gives it in both possible orders of this package.
    """

    name: str
    dataset: str
    formula: str
    want: dict[str, Any]

    def __repr__(self) -> str:
        return self.name

    def data(self) -> pd.DataFrame:
        """Rows that R used, missing values still in."""
        frame = load_data(self.dataset)
        expression = self.want["subset"]
        if not expression:
            return frame
        return frame.query(re.sub(r"[A-Za-z_][\w.]*\.[\w.]*", lambda m: f"`{m.group(0)}`", expression))

    def formulaic(self) -> str:
        """Return the formula in formulaic's spelling."""
        return translate(self.formula, load_data(self.dataset).columns)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `lmer` and `LinearMixedModel` besides `reml`, which is in `want`."""
        return {"contrasts": self.contrasts(), "weights": self.want["weights"], "offset": self.want["offset"]}

    def contrasts(self) -> dict[str, str] | None:
        """Contrasts by column; R codes ordered factors by polynomials unless told otherwise."""
        frame = load_data(self.dataset)
        ordered = [c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype) and frame[c].cat.ordered]
        chosen = {c: "poly" for c in ordered if _mentions(self.formula, c)}
        chosen |= {c: CONTRASTS[kind] for c, kind in (self.want["contrasts"] or {}).items()}
        return chosen or None

    def random_coding_differs(self) -> bool:
        """lme4 1.1 codes the left of the bar by treatment whatever `contrasts` says: theta is not comparable then."""
        bars = re.findall(r"\(([^()|]*(?:\([^()]*\)[^()|]*)*)\|", self.formula)
        return any(_mentions(bar, column) for column in self.want["contrasts"] or {} for bar in bars)

    def basis_differs(self) -> bool:
        """R evaluates `poly` on all rows and then drops some, formulaic the other way round; `ns` differs always.

        The spaces spanned by `poly` agree, so fitted values, sigma and the ML criterion are comparable all the same.
        """
        dropped_rows = self.want["nobs"] != self.want["n_rows_data"]
        return "ns(" in self.formula or ("poly(" in self.formula and dropped_rows)

    def theta_candidates(self, theta: list[float]) -> list[list[float]]:
        """Theta of lme4 with ties as lme4 has them, and with ties turned round."""
        terms = self.want["random_terms"]
        sizes = [len(t["columns"]) * (len(t["columns"]) + 1) // 2 for t in terms]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        pieces = [theta[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        turned = sorted(reversed(range(len(terms))), key=lambda i: -terms[i]["n_levels"])
        return [theta, [value for i in turned for value in pieces[i]]]


@dataclass(frozen=True, slots=True)
class HardCase:
    """A model on which common optimisers fail: formula in formulaic's spelling and the best known criterion."""

    name: str
    formula: str
    reml: bool
    criterion: float
    theta: list[float] | None
    file: str
    derive: dict[str, str]

    def __repr__(self) -> str:
        return self.name

    def data(self) -> pd.DataFrame:
        """Read the data; `derive` adds columns that the original analysis computed."""
        frame = bundled.load("kb07") if self.file == "kb07" else pd.read_csv(HARD / self.file)
        for column, rule in self.derive.items():
            frame[column] = range(len(frame)) if rule == "row number" else frame.eval(rule).astype(float)
        return frame


def cases() -> list[GoldenCase]:
    """All reference fits, by name."""
    wanted = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
    return [GoldenCase(w["case"], w["dataset"], w["formula"], w) for w in wanted]


def hard_cases() -> list[HardCase]:
    """All hard models, in the order of the file."""
    entries = json.loads((HARD / "cases.json").read_text())["cases"]
    fields = ("name", "formula", "reml", "criterion")
    return [
        HardCase(**{f: e[f] for f in fields}, theta=e.get("theta"), file=e["data"], derive=e.get("derive", {}))
        for e in entries
    ]


def closed_forms() -> list[dict[str, Any]]:
    """Balanced layouts with known estimates: data (bundled), formula, reml, sigma2, variances by group."""
    entries = json.loads((HARD / "cases.json").read_text())["closed_forms"]
    return [e for e in entries if "formula" in e]  # the last entry is a rule in words


def load_data(name: str) -> pd.DataFrame:
    """Return the data of a reference fit, from tests/data or from the bundled data sets."""
    return _read(name).copy()


@cache
def _read(name: str) -> pd.DataFrame:
    if not (DATA / f"{name}.json").exists():
        return bundled.load(BUNDLED_AS.get(name, name))
    description = json.loads((DATA / f"{name}.json").read_text())
    columns = {c["name"]: c for c in description["columns"]}
    labelled = {n: str for n, c in columns.items() if c["type"] in ("factor", "ordered", "string")}
    frame = pd.read_csv(DATA / description["file"], dtype=labelled, na_values=["NA"], keep_default_na=False)
    for n, c in columns.items():
        if c["type"] in ("factor", "ordered"):
            levels = [str(level) for level in c["levels"]]
            frame[n] = pd.Categorical(frame[n], categories=levels, ordered=c["type"] == "ordered")
    return frame


def translate(formula: str, columns: pd.Index) -> str:
    """R's formula text in formulaic's spelling."""
    out = re.sub(r"I\(([^()]*)\)", lambda m: "I(" + m.group(1).replace("^", "**") + ")", formula)
    out = re.sub(r"\bfactor\(", "C(", out)
    for column in sorted((c for c in columns if not c.isidentifier()), key=len, reverse=True):
        out = re.sub(rf"(?<![\w.`]){re.escape(column)}(?![\w.`])", f"`{column}`", out)
    return out


def _mentions(text: str, column: str) -> bool:
    return re.search(rf"\b{re.escape(column)}\b", text) is not None

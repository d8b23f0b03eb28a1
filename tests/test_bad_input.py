"""Bad input: one clear error each, naming the culprit and the mend, of our tree and of the fitting builtin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 60
    g, x = np.repeat(np.arange(12), 5), rng.normal(size=n)
    y = rng.normal(size=12)[g] + x + rng.normal(size=n)
    columns = {"y": y, "x": x, "g": g, "h": np.tile(np.arange(5), 12), "one": "a", "obs": np.arange(n)}
    return pd.DataFrame(columns | {"w": rng.uniform(1, 2, n)})


@dataclass(frozen=True)
class Bad:
    """A call that must fail: what is changed, and words of the message."""

    name: str
    match: str
    error: type[Exception] = ms.DataError
    formula: str = FORMULA
    columns: dict[str, Callable[[pd.DataFrame], Any]] = field(default_factory=dict)
    rows: Any = None
    arguments: dict[str, Any] = field(default_factory=dict)


def replaced(column: str, value: float) -> dict[str, Callable[[pd.DataFrame], Any]]:
    return {column: lambda d: d[column].where(d.index != 3, value)}


def column(name: str, make: Callable[[pd.DataFrame], Any]) -> dict[str, Callable[[pd.DataFrame], Any]]:
    return {name: make}


COLUMNS = [
    Bad("unknown column", r"no column 'xx'.*Columns present: 'y', 'x'", ms.ColumnError, "y ~ xx + (1 | g)"),
    Bad("unknown group", r"no column 'gg'.*Did you mean 'g'", ms.ColumnError, "y ~ x + (1 | gg)"),
    Bad("unknown slope", "no column 'zz'", ms.ColumnError, "y ~ x + (zz | g)"),
    Bad("unknown response", r"no column 'yy'.*Did you mean 'y'", ms.ColumnError, "yy ~ x + (1 | g)"),
    Bad("unknown weights", r"no column 'ww', used in weights", ms.ColumnError, arguments={"weights": "ww"}),
    Bad(
        "unknown contrasts",
        r"no column 'ww', used in contrasts",
        ms.ColumnError,
        arguments={"contrasts": {"ww": "sum"}},
    ),
]
VALUES = [
    Bad("infinite y", r"response 'y' is infinite in 1 of 60 rows.*remove or correct", columns=replaced("y", np.inf)),
    Bad("y becomes NaN", r"response 'log\(y\)' is NaN in \d+ of 60 rows", formula="log(y) ~ x + (1 | g)"),
    Bad("infinite x", r"'x' is infinite in 1 of 60 rows.*remove or correct", columns=replaced("x", -np.inf)),
    Bad("x becomes NaN", r"'log\(x\)' is NaN", formula="y ~ log(x) + (1 | g)"),
    Bad("infinite slope", r"'x' is infinite", formula="y ~ 1 + (x | g)", columns=replaced("x", np.inf)),
    Bad("constant y", r"response 'y' is constant \(3 in all 60 rows\)", columns=column("y", lambda d: 3.0)),
    Bad("complex y", r"response 'y' is complex.*real part", columns=column("y", lambda d: d["y"] + 1j)),
    Bad(
        "text y",
        r"'y' is not numeric \(it holds 'a', 'b'\).*to_numeric",
        columns=column("y", lambda d: ["a", "b"] * 30),
    ),
    Bad("dates", r"'y' holds dates", columns=column("y", lambda d: pd.date_range("2020", periods=60))),
    Bad("nothing left", r"No rows are left.*60 in 'y'", columns=column("y", lambda d: np.nan)),
    Bad("no groups left", r"No rows are left.*60 in 'g'", columns=column("g", lambda d: np.nan)),
    Bad(
        "negative weights",
        r"weights 'w' must be positive",
        columns=column("w", lambda d: -d["w"]),
        arguments={"weights": "w"},
    ),
    Bad(
        "zero weight", r"weights 'w' must be positive.*1 of 60", columns=replaced("w", 0.0), arguments={"weights": "w"}
    ),
    Bad("infinite weights", "must be positive and finite", arguments={"weights": np.full(60, np.inf)}),
    Bad("short weights", r"weights has shape \(3,\).*60 rows", arguments={"weights": np.ones(3)}),
    Bad("short offset", r"offset has shape \(2,\).*60 rows", arguments={"offset": [1.0, 2.0]}),
    Bad("infinite offset", "offset is infinite", arguments={"offset": np.full(60, np.inf)}),
]
SIZES = [
    Bad("empty", "have no rows", rows=[]),
    Bad("one row", r"'g' has one level \('?0'?\).*several levels", rows=[0]),
    Bad("one level", r"'one' has one level \('a'\).*remove the term", formula="y ~ x + (1 | one)"),
    Bad("as many levels as rows", r"'obs' has 60 levels, not fewer than the 60 rows", formula="y ~ x + (1 | obs)"),
    Bad("as many effects as rows", r"'g' has 12 levels times 5 effects", formula="y ~ x + (factor(h) | g)"),
    Bad(
        "more columns than rows",
        r"4 rows cannot estimate 4 fixed",
        formula="y ~ x + w + h + (1 | g)",
        rows=[0, 1, 6, 8],
    ),
]
PERFECT = [
    Bad("linear in x", "'y' perfectly.*no residual variance", columns=column("y", lambda d: 2 + 3 * d["x"])),
    Bad("constant within groups", "'y' perfectly", columns=column("y", lambda d: d["g"] ** 2.0)),
    Bad("x and groups", "'y' perfectly", columns=column("y", lambda d: d["g"] ** 2.0 + d["x"])),
    Bad("slopes", "'y' perfectly", formula="y ~ (x | g)", columns=column("y", lambda d: d["g"] * (d["g"] + d["x"]))),
    Bad(
        "crossed",
        "'y' perfectly",
        formula="y ~ (1 | g) + (1 | h)",
        columns=column("y", lambda d: np.sin(d["g"]) + np.cos(3 * d["h"])),
    ),
]
FORMULAS = [
    Bad("bar outside brackets", r"'\|' stands outside brackets.*write '\(x \| g\)'", ms.FormulaError, "y ~ x | g"),
    Bad("no random part", r"no random-effects term.*OLS", ms.FormulaError, "y ~ x"),
    Bad("duplicate terms", r"Duplicate terms.*'Intercept'.*'g'", ms.FormulaError, "y ~ x + (1 | g) + (1 | g)"),
    Bad("duplicate effects", r"Duplicate terms.*'Intercept'", ms.FormulaError, "y ~ x + (1 | g) + (x | g)"),
    Bad("no response", r"no response", ms.FormulaError, "~ x + (1 | g)"),
    Bad("no tilde", r"has no '~'", ms.FormulaError, "y"),
    Bad("open bracket", r"never closed.*add '\)'", ms.FormulaError, "y ~ x + (1 | g"),
    Bad("empty group", r"no grouping factor after its bar", ms.FormulaError, "y ~ x + (1 | )"),
    Bad("empty effects", r"nothing before its bar", ms.FormulaError, "y ~ x + ( | g)"),
    Bad("zero effects", r"has no effects", ms.FormulaError, "y ~ x + (0 | g)"),
]
OPTIONS = [
    Bad(
        "start too long", r"start must hold 1 finite numbers.*g \(1\)", ms.OptionError, arguments={"start": [1.0, 2.0]}
    ),
    Bad("start NaN", r"start must hold 1 finite", ms.OptionError, arguments={"start": [np.nan]}),
    Bad("start text", r"start='a' is not an array", ms.OptionError, arguments={"start": "a"}),
    Bad("method", r"method='fast'.*use one of 'auto'", ms.OptionError, arguments={"method": "fast"}),
    Bad("contrasts", r"'foo' is not known: use one of", ms.OptionError, arguments={"contrasts": {"h": "foo"}}),
    Bad("options", r"options.*FitOptions", ms.OptionError, arguments={"options": {"backend": "split"}}),
]
ALL = [*COLUMNS, *VALUES, *SIZES, *PERFECT, *FORMULAS, *OPTIONS]


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.name)
def test_one_clear_error(data, bad):
    frame = (data if bad.rows is None else data.iloc[bad.rows]).assign(**bad.columns)
    formula = bad.formula.replace("x +", "x + C(h) +") if bad.name == "contrasts" else bad.formula
    with pytest.raises(bad.error, match=bad.match) as caught:
        ms.lmer(formula, frame, **bad.arguments)
    assert isinstance(caught.value, ms.MixedSparseError)
    assert isinstance(caught.value, (ValueError, KeyError))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("backend", ["split", "cholmod"])
@pytest.mark.parametrize("bad", PERFECT, ids=lambda bad: bad.name)
def test_perfect_fits_on_both_backends(data, bad, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    frame = data.assign(**bad.columns)
    with pytest.raises(ms.DataError, match="perfectly"):
        ms.lmer(bad.formula, frame, options=ms.FitOptions(backend=backend))


@pytest.mark.parametrize("table", [None, [1, 2], 3.0])
def test_data_that_are_no_table(table):
    with pytest.raises(ms.DataError, match=r"not a table: give a pandas, polars or pyarrow table"):
        ms.lmer(FORMULA, table)


def test_a_formula_that_is_no_text(data):
    with pytest.raises(ms.FormulaError, match="must be text"):
        ms.lmer(3, data)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "gpu"}, "backend='gpu' is not known; use one of 'auto', 'cholmod', 'split'"),
        ({"max_evals": 0}, "max_evals=0 must be a whole number"),
        ({"max_evals": 2.5}, "max_evals=2.5 must be a whole number"),
        ({"tolerance": 0.0}, "tolerance=0.0 must lie between 0 and 1"),
        ({"tolerance": "small"}, "tolerance='small' must lie between 0 and 1"),
    ],
)
def test_options(options, match):
    with pytest.raises(ms.OptionError, match=match):
        ms.FitOptions(**options)


def term(data: pd.DataFrame, **changes: Any) -> ms.RandomTerm:
    return ms.RandomTerm(**({"group": "g", "codes": data["g"].to_numpy(), "z": np.ones(len(data))} | changes))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"codes": np.zeros(3, int)}, "one row per observation"),
        ({"codes": np.zeros(60)}, "must be integers, not float64"),
        ({"codes": np.full(60, -1)}, "must not be negative"),
        ({"columns": ("a", "b")}, "1 columns of z but 2 names"),
        ({"levels": np.arange(3)}, "code 11 but only 3 levels"),
    ],
)
def test_terms_from_arrays(data, changes, match):
    with pytest.raises(ms.DataError, match=match):
        term(data, **changes)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"terms": []}, "no random-effects term"),
        ({"terms": [("g", "x")]}, "RandomTerm"),
        ({"X": np.ones((3, 1))}, r"X has shape \(3, 1\).*60 rows"),
        ({"X": np.full((60, 1), np.nan)}, "'x0' is NaN"),
        ({"X": np.full((60, 1), "a")}, "X is not numeric"),
        ({"y": np.zeros(60)}, "constant"),
        ({"y": np.full(60, np.nan)}, "'y' is NaN"),
        ({"weights": np.zeros(60)}, "must be positive"),
        ({"x_names": ["a", "b"]}, "2 names for the 1 columns"),
    ],
)
def test_models_from_arrays(data, change, match):
    arguments = {"y": data["y"].to_numpy(), "X": np.ones((60, 1)), "terms": [term(data)]} | change
    with pytest.raises(ms.DataError, match=match):
        ms.LinearMixedModel.from_arrays(**arguments)


@pytest.mark.parametrize("theta", [[1e200], [np.inf], [1.0, 1.0], "a", None])
def test_theta_that_cannot_be_evaluated(data, theta):
    model = ms.LinearMixedModel(FORMULA, data)
    for function in (model.objective, model.gradient, model.hessian):
        with pytest.raises(ms.MixedSparseError):
            function(theta)


@pytest.mark.parametrize("factor", [1e-80, 1e80])
def test_units_of_y_do_not_decide_what_is_perfect(data, factor):
    base, scaled = ms.lmer(FORMULA, data), ms.lmer(FORMULA, data.assign(y=factor * data["y"]))
    np.testing.assert_allclose(scaled.theta, base.theta, rtol=1e-6)

"""Bad inputs: columns of every kind in every place of a formula, odd frames, and odd arguments."""

from __future__ import annotations

import datetime
import decimal
import fractions
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

import mixedsparse as ms
from benchmarks.fuzz.attempt import Attempt, Finding, attempt

__all__ = ["CHECKS", "check_frames", "check_inputs"]

KIND = "bad inputs"
N = 60
CHECKS = {
    "column": "a fit with finite numbers, or one of the package's own errors",
    "name": "columns of any name fit as those of a plain one",
    "frame": "odd frames are refused by the package's own errors",
    "argument": "odd arguments are refused by the package's own errors, or taken",
}
PLACES = {
    "covariate": ("y ~ {} + (1 | g)", {}),
    "interaction": ("y ~ {} * x + (1 | g)", {}),
    "slope": ("y ~ 1 + ({} | g)", {}),
    "grouping factor": ("y ~ x + (1 | {})", {}),
    "nested factor": ("y ~ x + (1 | h/{})", {}),
    "response": ("{} ~ x + (1 | g)", {}),
    "weights": ("y ~ x + (1 | g)", {"weights": "z"}),
    "offset": ("y ~ x + (1 | g)", {"offset": "z"}),
}
KEYWORDS = "class lambda None True np pd os I C Q poly log e pi nan inf not in print ms ddf self"
SIGNS = [
    "x y",
    "a.b",
    "é",
    "変数",
    "x~y",
    "x|y",
    "a:b",
    "a+b",
    "'q'",
    '"d"',
    "x\ty",
    " ",
    "_",
    "1 + x",
    "0",
    "-1",
    "%in%",
]
NAMES = [*KEYWORDS.split(), *SIGNS, "{x}", "x;y", "offset", "Intercept", "L" * 300, "\\", "a\u0301"]
ODD_FRAMES: dict[str, Any] = {
    "None": None,
    "int": 5,
    "list": [1, 2],
    "matrix": np.eye(3),
    "missing file": "nowhere.parquet",
    "empty dict": {},
    "dict of scalars": {"y": 1, "x": 2, "g": 3},
    "ragged dict": {"y": [1, 2], "x": [1], "g": [1, 2]},
    "bytes": b"abc",
    "function": len,
    "dict of texts": {"y": "abc", "x": "abc", "g": "abc"},
    "set": {1},
    "empty frame": pd.DataFrame(),
    "root directory": "/",
    "device": "/dev/null",
    "nul in a path": "a\0b",
    "long path": "a" * 5000,
    "address": "http://x/y.parquet",
}
METHODS = (
    "coef_table anova ranova drop1 emmeans predict simulate refit conf_int t_test wald_test rePCA icc r2 "
    "leverage influence marginal_cov tidy glance augment summary to_latex vif caic bootstrap"
)
ODD_ARGUMENTS = [
    *(None, 5, "x", b"b", [], {}, (), object(), np.nan, np.inf, -1, True, np.array([1, 2]), pd.Series([1.0])),
    *([None], "nope", {"a": 1}, {1: 2}, 1 + 2j, [[1]], pd.DataFrame(), np.array("s"), Exception(), ...),
]


def base() -> pd.DataFrame:
    """Healthy data that the odd columns are put into."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(10), 6)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N) + rng.normal(size=10)[codes],
            "x": rng.normal(size=N),
            "f": np.tile(list("abc"), N // 3),
            "g": [f"g{code}" for code in codes],
            "h": np.tile([f"h{k}" for k in range(6)], 10),
        }
    )


def odd_columns() -> dict[str, Any]:
    """Columns of N values that a user may have by mistake, and some that are only unusual."""
    k = np.arange(N)
    x = np.random.default_rng(1).normal(size=N)
    third = k == 3
    return {
        "one infinity": np.where(third, np.inf, x),
        "nullable integers": pd.array(np.where(third, None, k), dtype="Int64"),
        "object with NA": [pd.NA if v else float(i) for i, v in enumerate(third)],
        "decimals": [decimal.Decimal(int(v)) / 3 for v in k],
        "fractions": [fractions.Fraction(int(v), 7) for v in k],
        "complex": x + 1j,
        "timestamps": pd.date_range("2020", periods=N),
        "time zones": pd.date_range("2020", periods=N, tz="Europe/Vienna"),
        "durations": pd.to_timedelta(k, unit="D"),
        "periods": pd.period_range("2020", periods=N),
        "intervals": pd.interval_range(0, N),
        "dates": [datetime.date(2020, 1, 1 + int(v) % 28) for v in k],
        "lists": [[int(v)] for v in k],
        "dicts": [{int(v): 1} for v in k],
        "arrays": [np.arange(3)] * N,
        "numbers and texts": [int(v) if v % 2 else str(v) for v in k],
        "truth values": k % 2 == 0,
        "truth values with NA": pd.array(np.where(third, None, k % 2 == 0), dtype="boolean"),
        "truth values as objects": [None if v else bool(i % 2) for i, v in enumerate(third)],
        "bytes": [b"%d" % (v % 5) for v in k],
        "ordered": pd.Categorical(np.tile(list("abc"), N // 3), ordered=True),
        "empty categories": pd.Categorical([None] * N, categories=["a"]),
        "categories of numbers": pd.Categorical(k % 4),
        "half precision": x.astype("float16"),
        "long double": x.astype("longdouble"),
        "unsigned": k.astype("uint64") + np.uint64(2**63),
        "big integers": [10**30 + int(v) for v in k],
        "sparse": pd.arrays.SparseArray((k % 3).astype(float)),
        "strings": pd.array(np.tile(list("abc"), N // 3), dtype="string"),
        "functions": [len] * N,
        "constant": [5.0] * N,
        "huge": x * 1e300,
        "tiny": x * 1e-300,
        "denormal": x * 5e-320,
        "text nan": ["nan"] * 30 + ["a"] * 30,
        "empty texts": [""] * 30 + ["a"] * 30,
        "decimal commas": [f"{v:.1f}".replace(".", ",") for v in x],
        "a dot for missing": ["."] + [f"{v:.4f}" for v in x[1:]],
        "all missing": [np.nan] * N,
        "nul in texts": ["a\0b", "c\0"] * 30,
    }


def check_inputs() -> Iterator[Finding]:
    """Every odd column in every place, every odd name, frame and argument."""
    yield from _columns()
    yield from _names()
    yield from check_frames()
    yield from _arguments()


def check_frames() -> Iterator[Finding]:
    """Things that are no data are refused by both calls."""
    for name, frame in ODD_FRAMES.items():
        for call in (lambda f=frame: ms.lmer("y ~ x + (1 | g)", f), lambda f=frame: ms.mixedlm("y ~ x", f, groups="g")):
            found = attempt(call)
            accepted = "was accepted" if found.value is not None else ""
            yield Finding(KIND, "frame", name, found.fault or accepted)


def _columns() -> Iterator[Finding]:
    for name, values in odd_columns().items():
        data = base().assign(z=pd.Series(values))
        for place, (formula, arguments) in PLACES.items():
            written = formula.format("z")
            found = attempt(lambda f=written, d=data, a=arguments: _use(ms.lmer(f, d, **a), d))
            yield Finding(KIND, "column", f"{name} as {place}", _not_finite(found))


def _use(fit: Any, data: pd.DataFrame) -> Any:
    str(fit.summary())
    fit.predict(data.head(3))
    return fit


def _not_finite(found: Attempt) -> str:
    if found.fault or found.value is None:
        return found.fault
    fit = found.value
    numbers = np.concatenate([fit.params.to_numpy(), fit.theta, [fit.sigma, fit.criterion]])
    return "" if np.isfinite(numbers).all() else f"not finite: {numbers}"


def _names() -> Iterator[Finding]:
    plain = ms.lmer("y ~ x + (x | g)", base()).criterion
    for name in NAMES:
        for old, formula in (("x", "y ~ `{}` + (`{}` | g)"), ("g", "y ~ x + (x | `{}`)"), ("y", "`{}` ~ x + (x | g)")):
            data = base().rename(columns={"y": "y0"} if name == "y" and old != "y" else {}).rename(columns={old: name})
            written = formula.replace("{}", name)
            found = attempt(lambda f=written, d=data: _use(ms.lmer(f, d), d).criterion)
            wrong = found.value is not None and abs(found.value - plain) > 1e-8
            yield Finding(KIND, "name", f"{old} called {name[:20]!r}", found.fault or ("another fit" if wrong else ""))


def _arguments() -> Iterator[Finding]:
    fit = ms.lmer("y ~ x + f + (x | g)", base())
    required = {"specs": "f", "nsim": 3, "seed": 1, "y": base().y, "L": np.eye(4)[:1], "rows": [0, 1], "group": "g"}
    calls: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "lmer": (ms.lmer, {"formula": "y ~ x + f + (1 | g)", "data": base()}),
        "mixedlm": (ms.mixedlm, {"formula": "y ~ x", "data": base(), "groups": "g"}),
        "fit": (fit.model.fit, {}),
    }
    for name in METHODS.split():
        method = getattr(fit, name)
        parameters = inspect.signature(method).parameters.values()
        calls[name] = (method, {p.name: required.get(p.name) for p in parameters if p.default is p.empty})
    for name, (function, healthy) in calls.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            for value in ODD_ARGUMENTS:
                found = attempt(lambda f=function, a={**healthy, parameter.name: value}: f(**a))
                yield Finding(KIND, "argument", f"{name}({parameter.name}={_short(value)})", found.fault)


def _short(value: object) -> str:
    return " ".join(repr(value).split())[:30]

"""Generalized fits to a source equal fits to the same rows in memory, whatever the database counts."""

from __future__ import annotations

import operator
import pickle

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from tests.limits import relimited

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")

CASES = {
    "zeros and ones": ("y ~ x + f + (1 | g) + (1 | h)", "binomial", {}),
    "text of two levels": ("answer ~ x * f + (1 + x | g)", "binomial", {}),
    "truth values": ("yes ~ f + (1 | g/h)", "binomial", {"offset": "o"}),
    "a condition": ("I(c > 1) ~ scale(x) + (1 | g)", "binomial", {"link": "probit"}),
    "successes and failures": ("cbind(s, m - s) ~ x + offset(o) + (1 | h)", "binomial", {}),
    "proportions": ("p ~ x + (x || g)", "binomial", {"trials": "m"}),
    "counts of successes": ("s ~ f + (1 | g)", "binomial", {"weights": "m", "contrasts": {"f": "sum"}}),
    "counts": ("c ~ x + f + (1 | g) + (1 | h)", "poisson", {"offset": "o"}),
    "weighted counts": ("c ~ center(x) + (1 | g)", "poisson", {"weights": "w"}),
    "a dispersion": ("c ~ x + (1 | g)", "negative_binomial", {"weights": "w"}),
    "positive numbers": ("z ~ f + (1 | g)", "gamma", {"link": "log"}),
    "quadrature": ("y ~ x + (1 | g)", "binomial", {"nAGQ": 5}),
}


def make_rows(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 15, n),
            "h": [f"item {i}" for i in rng.integers(0, 6, n)],
            "f": rng.choice(list("abc"), n),
            "x": rng.integers(0, 3, n) + 0.0,
            "o": rng.choice([0.0, 0.5], n),
            "w": rng.choice([1.0, 2.0], n),
            "m": rng.integers(1, 4, n),
        }
    )
    eta = 0.4 * frame["x"] - 0.5 + 0.7 * rng.normal(size=15)[frame["g"]] + 0.5 * (frame["f"] == "b")
    eta += 0.4 * rng.normal(size=6)[frame["h"].str[5:].astype(int)] + frame["o"]
    chance = 1.0 / (1.0 + np.exp(-eta))
    frame["y"] = (rng.random(n) < chance).astype(int)
    frame["answer"] = pd.Categorical(np.where(frame["y"] == 1, "right", "wrong"), categories=["wrong", "right"])
    frame["yes"] = frame["y"] == 1
    frame["s"] = rng.binomial(frame["m"], chance)
    frame["p"] = frame["s"] / frame["m"]
    frame["c"] = rng.poisson(np.exp(0.3 * eta))
    frame["z"] = rng.gamma(2.0, np.exp(0.3 * eta))
    for column, count in (("x", 13), ("f", 9)):
        frame.loc[rng.choice(n, count, replace=False), column] = None
    return frame


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def file(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("generalized") / "rows.parquet"
    rows.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def pair(rows, file):
    formula = "answer ~ x + f + (1 + x | g)"
    return ms.glmer(formula, file), ms.glmer(formula, rows)


@pytest.mark.parametrize("case", CASES)
def test_source_equals_memory(case, rows, file):
    formula, family, options = CASES[case]
    found, wanted = (ms.glmer(formula, data, family, **options) for data in (file, rows))
    assert found.criterion == pytest.approx(wanted.criterion, abs=1e-8)
    np.testing.assert_allclose(found.params, wanted.params, atol=1e-6)
    np.testing.assert_allclose(found.bse, wanted.bse, rtol=1e-5)
    np.testing.assert_allclose(found.theta, wanted.theta, atol=1e-6)
    assert (found.nobs, found.nmissing, found.response) == (wanted.nobs, wanted.nmissing, wanted.response)
    assert found.fit.saturated == pytest.approx(wanted.fit.saturated, abs=1e-8, nan_ok=True)
    for group, modes in wanted.random_effects.items():
        assert list(found.random_effects[group].index) == list(modes.index)


def test_the_database_counts_rows_that_agree(pair, rows):
    patterns = pair[0].model.design.patterns
    columns = rows.dropna()[["answer", "x", "f", "g"]]
    assert len(patterns.counts) == len(columns.drop_duplicates()) < 0.5 * len(columns)
    assert patterns.counts.sum() == len(columns)


@pytest.mark.parametrize("kind", ["relation", "ibis"])
def test_tables_of_a_database(kind, rows, pair):
    import duckdb
    import ibis
    import pyarrow as pa

    table = pa.Table.from_pandas(rows.astype({"answer": str}))
    data = duckdb.from_arrow(table) if kind == "relation" else ibis.memtable(table)
    # Without the order of categories the levels are sorted: "wrong" is the event.
    found = ms.glmer("answer ~ x + f + (1 + x | g)", data)
    assert found.response == "P(answer = wrong)"
    np.testing.assert_allclose(found.params, -pair[1].params, atol=1e-6)


def test_likelihood_ratios_and_profiles_use_the_rows_that_differ(pair):
    for what in ("drop1", "ranova"):
        found, wanted = (getattr(fit, what)() for fit in pair)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    limits = [fit.conf_int(method="profile") for fit in pair]
    np.testing.assert_allclose(*limits, atol=1e-6)


def test_what_needs_no_rows(pair, rows):
    found, wanted = pair
    np.testing.assert_allclose(found.icc(), wanted.icc(), atol=1e-7)
    np.testing.assert_allclose(found.r2(), wanted.r2(), atol=1e-7)
    new = rows.dropna().head(5)
    pd.testing.assert_frame_equal(
        found.predict(new, interval="confidence"), wanted.predict(new, interval="confidence"), rtol=1e-6
    )
    assert "Scaled residuals" not in str(found.summary())
    means = [fit.emmeans("f", type="response").table["prob"] for fit in pair]
    np.testing.assert_allclose(*means, atol=1e-7)


@pytest.mark.parametrize("what", ["residuals", "simulate", "bootstrap", "overdispersion", "predict"])
def test_what_needs_rows_says_what_to_do(what, pair):
    arguments = (2,) if what == "bootstrap" else ()
    with pytest.raises(ms.RowsElsewhereError, match="stream_predictions"):
        operator.methodcaller(what, *arguments)(pair[0])


def test_saved_and_pickled(pair, tmp_path):
    pair[0].save(tmp_path / "fit.mixedsparse")
    loaded, copied = ms.load(tmp_path / "fit.mixedsparse"), pickle.loads(pickle.dumps(pair[0]))
    for other in (loaded, copied):
        pd.testing.assert_series_equal(other.params, pair[0].params)
    with pytest.raises(ms.RowsElsewhereError):
        loaded.drop1()


def test_models_of_one_source_compare(file):
    fits = [ms.glmer(f"cbind(s, m - s) ~ {fixed} + (1 | g)", file) for fixed in ("x", "x + o")]
    assert ms.anova(*fits)["Chisq"].iloc[1] > 0
    with pytest.raises(ms.DataError, match="different responses"):
        ms.anova(fits[0], ms.glmer("cbind(m - s, s) ~ x + (1 | g)", file))


@pytest.mark.parametrize("response", ["answer", "cbind(s, m - s)", "p", "s", "c", "yes"])
def test_predictions_and_residuals_batch_by_batch(response, rows, file, tmp_path):
    family = "poisson" if response == "c" else "binomial"
    given = {"trials": "m"} if response in ("p", "s") else {}
    fit, wanted = (ms.glmer(f"{response} ~ x + (1 | g)", data, family, **given) for data in (file, rows))
    fit = relimited(fit, streamed=700)
    assert fit.stream_predictions(tmp_path / "out.parquet") == len(rows)
    out = pd.read_parquet(tmp_path / "out.parquet")
    missing = rows["x"].isna()
    assert (out["predicted"].isna() == missing).all()
    np.testing.assert_allclose(out["predicted"][~missing], wanted.fittedvalues, atol=1e-6)
    np.testing.assert_allclose(out["resid"][~missing], wanted.resid, atol=1e-5)
    fit.stream_predictions(tmp_path / "link.parquet", file, type="link", random="population", new_levels="zero")
    link = pd.read_parquet(tmp_path / "link.parquet")["predicted"]
    np.testing.assert_allclose(link, wanted.predict(rows, type="link", random="population"), atol=1e-6)


def test_another_level_of_the_response_is_named(rows, file, tmp_path):
    fit = ms.glmer("answer ~ x + (1 | g)", rows)
    rows.astype({"answer": str}).replace({"answer": {"wrong": "late"}}).to_parquet(tmp_path / "new.parquet")
    with pytest.raises(ms.DataError, match="'answer' has the level 'late'"):
        fit.stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet")


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("c ~ x + (1 | g)", {}, r"holds .* in \d+ of 2987 rows"),
        ("s ~ x + (1 | g)", {"trials": "x"}, r"must be whole numbers from 1 on, but \d+ of 2987 are not \(first 0\)"),
        ("h ~ x + (1 | g)", {}, "has 6 levels"),
        ("y ~ x + (1 | g)", {"trials": np.ones(3000)}, "add trials to it as a column"),
        ("y ~ x + (1 | g)", {"trials": "n"}, "trials='n'"),
        ("c ~ x + (1 | g)", {"family": "poisson", "trials": "m"}, "belong to binomial responses"),
        ("y ~ bs(x, 4) + (1 | g)", {}, "bs"),
    ],
)
def test_refusals_name_the_column_and_the_mend(formula, options, message, file):
    with pytest.raises(ms.MixedSparseError, match=message):
        ms.glmer(formula, file, **options)


def test_separated_responses_of_a_source_have_a_verdict(rows, tmp_path):
    rows.assign(y=np.where(rows["f"] == "c", 1, rows["y"])).to_parquet(tmp_path / "apart.parquet")
    fit = ms.glmer("y ~ f + (1 | g)", tmp_path / "apart.parquet")
    assert fit.certificate.verdict == "separated"
    assert "f[T.c]" in str(fit.summary())

"""Fits to a source equal fits to the same rows in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

# What the design asks for; sums in another order differ by about 1e-14.
CRITERION = 1e-11
# At the optimum, where the criterion is flat: theta is found to about the root of that.
ESTIMATE = 1e-9
THETA = 1e-7

CASES = {
    "intercepts": ("y ~ x + (1 | g) + (1 | h)", {}),
    "one factor": ("y ~ 1 + (1 | g)", {}),
    "slopes": ("y ~ x * f + (1 + x | g) + (1 | h)", {}),
    "uncorrelated": ("y ~ f + x + (x || g) + (1 | h)", {"weights": "w"}),
    "factor slopes": ("y ~ x + (k | g) + (1 | h)", {"contrasts": {"k": "sum"}}),
    "nested": ("y ~ f * k + (1 | g/cell)", {"contrasts": {"f": "helmert", "k": "sum"}}),
    "interaction of groups": ("y ~ x + (1 | g:f) + (0 + k | h)", {}),
    "transforms": ("y ~ log(x + 20) + I((year - 2000)**2) + f:x + (1 | g)", {"offset": "o"}),
    "np functions": ("y ~ np.sqrt(abs(o)) + where(x > 5, 1, 0) + x**2 + (1 | g)", {}),
    "standardised": ("y ~ scale(year) + center(x):k + offset(o) + (1 | g)", {"weights": "w"}),
    "transformed response": ("log(y) ~ x + (1 | g)", {}),
    "coerced": ("y ~ C(k, contr.sum) * x + (1 | g)", {}),
    "no intercept": ("y ~ 0 + f + x + (1 | g)", {}),
    "booleans": ("y ~ yes * x + (yes | g)", {}),
    "booleans without an intercept": ("y ~ 0 + yes + (0 + yes | g)", {}),
    "booleans by sum contrasts": ("y ~ yes * f + (1 | g)", {"contrasts": {"yes": "sum"}}),
    "conditions": ("y ~ I(x > 5) * k + (I(x > 5) | g)", {}),
    "conditions of booleans": ("y ~ I(yes & (x > 2)):x + (0 + I(~yes) | h)", {}),
    "comparisons with what is no number": ("y ~ I(log(x - 2) < 1) + where(f == 'a', yes, False) + (1 | g)", {}),
    "arithmetic of booleans": ("y ~ I(yes * x) + I(2 - yes) + I(yes == 1) + (1 | g:I(x > 5))", {}),
    "number as factor": ("y ~ g + (1 | h)", {"contrasts": {"g": "treatment"}}),
    "both arguments": ("y ~ x + (1 + x | h)", {"weights": "w", "offset": "o"}),
    "dependent columns": ("y ~ x + I(2 * x + 1) + f + (1 | g)", {}),
    "polynomial contrasts": ("y ~ f + (f || g)", {"contrasts": {"f": "poly"}}),
    "covariate far from zero": ("y ~ year + I(year**2) + (1 + year | g)", {}),
}


def assert_same(found, wanted):
    assert found.nobs == wanted.nobs
    assert found.nmissing == wanted.nmissing
    assert found.dropped_columns == wanted.dropped_columns
    assert list(found.params.index) == list(wanted.params.index)
    assert found.criterion == pytest.approx(wanted.criterion, rel=CRITERION)
    # An estimate is known up to its standard error; that is what its error is measured in.
    np.testing.assert_allclose((found.params - wanted.params) / wanted.bse, 0.0, atol=100 * ESTIMATE)
    np.testing.assert_allclose(found.bse, wanted.bse, rtol=100 * ESTIMATE)
    np.testing.assert_allclose(found.theta, wanted.theta, rtol=THETA, atol=THETA)
    assert found.sigma == pytest.approx(wanted.sigma, rel=ESTIMATE)
    for group, modes in wanted.random_effects.items():
        assert list(found.random_effects[group].index) == list(modes.index)
        np.testing.assert_allclose(found.random_effects[group], modes, atol=THETA * wanted.sigma)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize("case", CASES)
def test_source_equals_memory(case, frame, path):
    formula, options = CASES[case]
    found, wanted = (ms.LinearMixedModel(formula, data, **options) for data in (path, frame))
    for reml in (True, False):
        assert_same(found.fit(reml), wanted.fit(reml))


def test_large_response_loses_no_digits(frame, tmp_path, quiet_lmer):
    """The variances of y + 1e8 are known to eight digits, as in memory."""
    shifted = frame.assign(y=frame["y"] + 1e8)
    shifted.to_parquet(tmp_path / "shifted.parquet")
    found = quiet_lmer("y ~ x + (1 + x | g)", tmp_path / "shifted.parquet")
    wanted = quiet_lmer("y ~ x + (1 + x | g)", shifted)
    assert found.criterion == pytest.approx(wanted.criterion, rel=1e-10)
    assert found.sigma == pytest.approx(wanted.sigma, rel=1e-9)
    # In memory the mean, 1e8, is taken out with an error of the size of a unit in the last place of y.
    assert found.params["x"] == pytest.approx(wanted.params["x"], rel=1e-6)


def test_numbers_of_the_caller_count_as_constants(frame, path, quiet_lmer):
    shift = 3.5  # noqa: F841
    with pytest.warns(ms.DroppedRowsWarning):
        found = ms.lmer("y ~ log(x + shift) + (1 | g)", path)
    wanted = quiet_lmer("y ~ log(x + 3.5) + (1 | g)", frame)
    assert found.criterion == pytest.approx(wanted.criterion, rel=CRITERION)
    assert found.params["log(x + shift)"] == pytest.approx(wanted.params["log(x + 3.5)"], rel=ESTIMATE)
    assert found.predict(frame.head(3)).notna().any()


def test_columns_called_like_our_own(frame, tmp_path, quiet_lmer):
    names = {"g": "weight", "h": "s0", "f": "raw0", "x": "number0", "w": "value0", "k": "code weight"}
    renamed = frame.rename(columns=names)
    renamed.to_parquet(tmp_path / "renamed.parquet")
    formula = "y ~ number0 * raw0 + (1 + number0 | weight) + (1 | s0) + (1 | `code weight`:s0)"
    found, wanted = (quiet_lmer(formula, data, weights="value0") for data in (tmp_path, renamed))
    assert_same(found, wanted)


def test_grouping_by_an_expression(frame, path, quiet_lmer):
    wanted = quiet_lmer("y ~ x + (1 | floor(year / 5)) + (1 | g)", frame)
    assert_same(quiet_lmer("y ~ x + (1 | floor(year / 5)) + (1 | g)", path), wanted)


def test_many_files_with_an_empty_one(frame, tmp_path, quiet_lmer):
    for i, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[rows].to_parquet(tmp_path / f"part{i}.parquet")
    frame.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    wanted = quiet_lmer("y ~ x + (1 | g)", frame)
    for source in (tmp_path, str(tmp_path / "*.parquet")):
        assert_same(quiet_lmer("y ~ x + (1 | g)", source), wanted)


def test_files_with_narrower_numbers(frame, tmp_path, quiet_lmer):
    """Whole numbers in one file and fractions in the next are both numbers: nothing is rounded."""
    whole = frame.assign(o=1).dropna()
    half = whole.assign(o=whole["x"])
    whole.head(300).astype({"o": "int32"}).to_parquet(tmp_path / "a.parquet")
    half.tail(300).to_parquet(tmp_path / "b.parquet")
    wanted = quiet_lmer("y ~ o + (1 | g)", pd.concat([whole.head(300), half.tail(300)]))
    assert_same(quiet_lmer("y ~ o + (1 | g)", tmp_path), wanted)


def test_categories_keep_their_order(frame, tmp_path, quiet_lmer):
    """As pandas reads them: the first one is the reference."""
    known = frame.assign(
        f=pd.Categorical(frame["f"], ["c", "a", "unused", "b"]),
        k=pd.Categorical(frame["k"], ["v", "u"], ordered=True),
        h=pd.Categorical(frame["h"], [f"item {i}" for i in range(39, -1, -1)]),
    )
    for i, rows in enumerate(np.array_split(np.arange(len(frame)), 2)):
        known.iloc[rows].to_parquet(tmp_path / f"part{i}.parquet")
    formula, contrasts = "y ~ x * f + k + (1 | g) + (1 | h)", {"k": "sum"}
    found, wanted = (quiet_lmer(formula, data, contrasts=contrasts) for data in (tmp_path, known))
    assert_same(found, wanted)


def test_results_from_sums_alone(frame, path, quiet_lmer):
    formula = "y ~ x * f + (1 + x | g) + (1 | h)"
    found, wanted = quiet_lmer(formula, path), quiet_lmer(formula, frame)
    for table in (
        lambda fit: fit.coef_table("satterthwaite"),
        lambda fit: fit.coef_table("kenward-roger"),
        lambda fit: fit.anova(type=3),
        lambda fit: fit.anova(type=2),
        lambda fit: fit.anova(type=1),
        lambda fit: fit.varcorr(),
        lambda fit: fit.emmeans("f").table,
        lambda fit: fit.emmeans("f").contrast("pairwise").table,
        lambda fit: fit.emtrends("f", "x").table,
        lambda fit: fit.conf_int(method="profile", which="all"),
        lambda fit: fit.predict(frame.head(30), interval="prediction"),
        lambda fit: fit.vif(),
        lambda fit: fit.tidy(),
        lambda fit: fit.glance(),
    ):
        pd.testing.assert_frame_equal(table(found), table(wanted), rtol=1e-5, atol=1e-7)
    pd.testing.assert_series_equal(found.r2(), wanted.r2(), rtol=1e-8)
    pd.testing.assert_series_equal(found.icc(), wanted.icc(), rtol=1e-8)
    np.testing.assert_allclose(found.random_effects_cov["g"], wanted.random_effects_cov["g"], rtol=1e-5)
    assert "Scaled residuals" not in str(found.summary())
    assert "Scaled residuals" in str(wanted.summary())


@pytest.mark.parametrize("options", [{}, {"weights": "w", "offset": "o"}])
@pytest.mark.slow
def test_likelihood_ratios_of_smaller_models(frame, path, quiet_lmer, options):
    formula = "y ~ x * f + k + (1 + x + k | g) + (1 | h) + (1 | cell)"
    found, wanted = (quiet_lmer(formula, data, **options) for data in (path, frame))
    for table in (lambda fit: fit.ranova(), lambda fit: fit.drop1()):
        pd.testing.assert_frame_equal(table(found), table(wanted), rtol=1e-4, atol=1e-5)


def test_weighted_shares_of_variance(frame, path, quiet_lmer):
    formula = "y ~ x + f + (x | g) + (1 | h)"
    found, wanted = (quiet_lmer(formula, data, weights="w") for data in (path, frame))
    pd.testing.assert_series_equal(found.r2(), wanted.r2(), rtol=1e-8)
    pd.testing.assert_frame_equal(found.anova(type=1), wanted.anova(type=1), rtol=1e-5)


def test_likelihood_ratios_of_two_fits(frame, path, quiet_lmer):
    small, large = "y ~ x + (1 | g)", "y ~ x + (1 + x | g)"
    found = ms.anova(quiet_lmer(small, path), quiet_lmer(large, path), refit=False)
    wanted = ms.anova(quiet_lmer(small, frame.dropna(subset=["x", "y"])), quiet_lmer(large, frame), refit=False)
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), wanted.reset_index(drop=True), rtol=1e-6, check_names=False
    )
    with pytest.raises(ms.DataError, match="different responses or rows"):
        ms.anova(quiet_lmer("y ~ x + (1 | g)", path), quiet_lmer("x ~ y + (1 | g)", path))


def test_saved_and_loaded(path, tmp_path, quiet_lmer, frame):
    fit = quiet_lmer("y ~ x + (1 | g)", path)
    fit.save(tmp_path / "fit.zip")
    again = ms.load(tmp_path / "fit.zip")
    assert again.criterion == fit.criterion
    pd.testing.assert_series_equal(again.predict(frame.head()), fit.predict(frame.head()))
    with pytest.raises(ms.RowsElsewhereError):
        again.resid  # noqa: B018

"""`MixedLM` with arrays: statsmodels' two ways to write variance components, its names, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mixedsparse.compat import MixedLM, VCSpec, mixedlm
from mixedsparse.ground.errors import DataError, OptionError
from tests.compat.cases import LLF, PARAMETERS, best_fit, close, crossed, nested, quietly, slopes


def dummies(frame, column):
    levels = np.unique(frame[column])
    return (frame[column].to_numpy()[:, None] == levels).astype(float), [str(level) for level in levels]


def nested_spec(frame, kind=np.asarray):
    pairs = [dummies(part, "group2") for _, part in frame.groupby("group1")]
    return VCSpec(["group2"], [[names for _, names in pairs]], [[kind(mat) for mat, _ in pairs]])


def both(*args, reml=True, **kwargs):
    """Fits of both packages; statsmodels takes our VCSpec, too."""
    import statsmodels.api as sm

    return MixedLM(*args, **kwargs).fit(reml=reml), best_fit(quietly(lambda: sm.MixedLM(*args, **kwargs)), reml=reml)


def assert_same(ours, theirs):
    assert ours.llf == pytest.approx(theirs.llf, abs=LLF)
    assert type(ours.params) is type(theirs.params)
    for name in ("params", "fe_params", "bse", "cov_re", "vcomp", "resid", "fittedvalues"):
        mine, yours = getattr(ours, name), getattr(theirs, name)
        assert type(mine) is type(yours), name
        close(mine, yours, PARAMETERS)
    assert ours.model.exog_names == list(theirs.model.exog_names)
    if hasattr(ours.params, "index"):
        assert list(ours.params.index) == list(theirs.params.index)
    for group, effects in list(theirs.random_effects.items())[:4]:
        assert list(ours.random_effects[group].index) == list(effects.index)
        close(ours.random_effects[group], effects, PARAMETERS)


@pytest.mark.parametrize("labelled", [False, True], ids=["ndarray", "pandas"])
@pytest.mark.parametrize("random", ["default", "slope", "one column"])
def test_random_effects_by_group(labelled, random):
    data = slopes()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    y, X = (data["y"], pd.DataFrame(X, columns=["i", "x"])) if labelled else (data["y"].to_numpy(), X)
    exog_re = {"default": None, "slope": X, "one column": np.ones(len(data))}[random]
    assert_same(*both(y, X, data["g"], exog_re))


def test_nested_components():
    data = nested()
    one = np.ones(len(data))
    ours, theirs = both(data["y"], one, exog_re=one, groups=data["group1"], exog_vc=nested_spec(data))
    assert_same(ours, theirs)
    spread = MixedLM(data["y"], one, data["group1"], one, nested_spec(data, sparse.csr_array)).fit()
    formulas = {"re_formula": "1", "vc_formula": {"group2": "0 + C(group2)"}}
    for same in (spread, mixedlm("y ~ 1", data, groups="group1", **formulas).fit()):
        np.testing.assert_allclose(ours.params, same.params, rtol=1e-8)


def test_crossed_components():
    data = crossed()
    one = np.ones(len(data))
    pairs = {name: dummies(data, name) for name in ("a", "b")}
    spec = VCSpec(list(pairs), [[names] for _, names in pairs.values()], [[mat] for mat, _ in pairs.values()])
    assert_same(*both(data["y"], one[:, None], groups=one, exog_vc=spec))


def test_dict_of_dicts():
    data = slopes()
    rows = data.groupby("g").groups
    components = {
        "slope": {g: data.loc[at, ["x"]].to_numpy() for g, at in rows.items()},
        "level": {g: np.ones((len(at), 1)) for g, at in rows.items()},
    }
    X = np.column_stack([np.ones(len(data)), data["x"]])
    with pytest.warns(FutureWarning, match="Using deprecated variance components format"):
        ours, theirs = both(data["y"].to_numpy(), X, data["g"].to_numpy(), exog_vc=components, reml=False)
    assert_same(ours, theirs)
    assert ours.mixed.ngroups == {"Group": 25}
    components["slope"] = {g: data.loc[at, ["x"]] for g, at in rows.items()}
    with pytest.warns(FutureWarning, match="a VCSpec serves both"):
        named = MixedLM(data["y"].to_numpy(), X, data["g"], exog_vc=components).fit()
    assert named.random_effects[0].index.tolist() == ["level[0]", "slope[x]"]


def test_predictions_from_a_design():
    data = slopes()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    fit = MixedLM(data["y"].to_numpy(), X, data["g"]).fit()
    np.testing.assert_allclose(fit.predict(X[:3]), fit.predict()[:3])
    with pytest.raises(DataError, match="give 2 columns, const, x1"):
        fit.predict(X[:, :1])


def test_incomplete_rows():
    data = slopes()
    y = data["y"].where(data.index != 7)
    X = np.ones((len(data), 1))
    with pytest.raises(DataError, match=r"1 in 'endog'\).*missing='drop'"):
        MixedLM(y, X, data["g"])
    fit = MixedLM(y, X, data["g"], missing="drop").fit()
    assert (fit.nobs, fit.mixed.nmissing) == (len(data) - 1, 1)
    assert 7 not in fit.resid.index
    with pytest.raises(DataError, match="No rows are left"):
        MixedLM(y * np.nan, X, data["g"], missing="drop")


@pytest.mark.parametrize(
    ("exog_vc", "error", "message"),
    [
        (VCSpec(["v"], [[["p"]] * 2], [[np.ones(2)] * 2]), DataError, "the matrix has 2 rows, the group 3"),
        (VCSpec(["v"], [[["p"]]], [[np.ones(3)]]), DataError, "1 matrices for 2 groups"),
        (VCSpec(["v"], [[["p"]] * 2], [[np.zeros(3)] * 2]), DataError, "zero everywhere"),
        ("v", OptionError, "exog_vc of type str is not known"),
    ],
)
def test_bad_components(exog_vc, error, message):
    y = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.0])
    with pytest.raises(error, match=message):
        MixedLM(y, np.ones((6, 1)), np.repeat([0, 1], 3), exog_vc=exog_vc)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": np.zeros(5)}, "groups has one value"),
        ({"groups": np.arange(4)}, "differ in length.*'groups': 4"),
        ({"endog": np.ones((5, 2))}, r"endog has shape \(5, 2\)"),
        ({"exog": np.full((5, 1), np.inf)}, "infinite"),
        ({"exog": np.full((5, 1), "a")}, "not numeric"),
    ],
)
def test_bad_arrays(changes, message):
    given = {"endog": np.arange(5.0), "exog": np.ones((5, 1)), "groups": np.array([0, 0, 1, 1, 1]), **changes}
    with pytest.raises(DataError, match=message):
        MixedLM(**given)


def test_a_dict_of_dicts_needs_each_group():
    y, X = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.0]), np.ones((6, 1))
    with (
        pytest.warns(FutureWarning, match="deprecated variance components"),
        pytest.raises(DataError, match="no matrix for the group 1"),
    ):
        MixedLM(y, X, np.repeat([0, 1], 3), exog_vc={"v": {0: np.ones((3, 1))}})

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


def labelled_spec(frame, order=lambda part: part):
    """Matrices of every group as DataFrames on the labels of its rows, in an order of their own."""
    parts = [order(part) for _, part in frame.groupby("group1")]
    pairs = [(dummies(part, "group2"), part.index) for part in parts]
    mats = [pd.DataFrame(mat, index=index) for (mat, _), index in pairs]
    return VCSpec(["group2"], [[names for (_, names), _ in pairs]], [mats])


@pytest.mark.filterwarnings("ignore:Using deprecated variance components format:FutureWarning")
@pytest.mark.parametrize("form", ["VCSpec", "dicts"])
@pytest.mark.parametrize("index", ["labels", "counted"])
def test_matrices_of_components_go_by_their_labels(index, form):
    data = nested()
    if index == "labels":
        data.index = [f"row {i}" for i in range(len(data))]
    rng = np.random.default_rng(3)
    wanted = MixedLM(data["y"], np.ones(len(data)), data["group1"], exog_vc=nested_spec(data)).fit()
    spec = labelled_spec(data, lambda part: part.iloc[rng.permutation(len(part))])
    given = {"group2": dict(zip(np.unique(data["group1"]), spec.mats[0], strict=True))} if form == "dicts" else spec
    found = MixedLM(data["y"], np.ones(len(data)), data["group1"], exog_vc=given).fit()
    assert found.llf == pytest.approx(wanted.llf, abs=1e-9)
    np.testing.assert_allclose(found.params, wanted.params, rtol=1e-8)


def test_matrices_of_components_on_other_rows_are_refused_and_plain_ones_go_by_place():
    data = nested()
    one = np.ones(len(data))
    wanted = MixedLM(data["y"], one, data["group1"], exog_vc=nested_spec(data)).fit()
    counted = nested_spec(data, pd.DataFrame)
    assert MixedLM(data["y"], one, data["group1"], exog_vc=counted).fit().llf == pytest.approx(wanted.llf, abs=1e-9)
    named = data.set_axis([f"row {i}" for i in range(len(data))])
    for spec, rows in ((counted, named), (labelled_spec(data.set_axis(data.index + 7)), data)):
        with pytest.raises(
            DataError, match=r"index of exog_vc: component 'group2' in group .* is not that of the data"
        ):
            MixedLM(rows["y"], one, rows["group1"], exog_vc=spec)
    with pytest.raises(DataError, match="rows of the data have no labels"):
        MixedLM(data["y"].to_numpy(), one, data["group1"].to_numpy(), exog_vc=labelled_spec(named))


def test_matrices_of_components_keep_the_rows_that_the_data_keep():
    data = nested()
    gone = data.assign(y=data["y"].where(np.arange(len(data)) % 9 != 4))
    kept = data[gone["y"].notna()]
    wanted = MixedLM(kept["y"], np.ones(len(kept)), kept["group1"], exog_vc=labelled_spec(kept)).fit()
    found = MixedLM(gone["y"], np.ones(len(gone)), gone["group1"], exog_vc=labelled_spec(gone), missing="drop").fit()
    assert found.llf == pytest.approx(wanted.llf, abs=1e-9)


def test_pairs_with_a_random_slope_of_a_covariate():
    """Of 300 pairs of rows lme4 gives -1117.899, its check of the number of effects off, and statsmodels -1117.8992."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(300), 2)
    z, u = rng.normal(size=600), rng.normal(size=(300, 2))
    y = 1 + z + u[g, 0] + 1.5 * u[g, 1] * z + rng.normal(size=600) * 0.7
    fit = mixedlm("y ~ z", pd.DataFrame({"y": y, "z": z, "g": g.astype(str)}), groups="g", re_formula="~z").fit()
    assert fit.llf == pytest.approx(-1117.8992, abs=5e-4)


def test_standard_errors_of_sum_contrasts_are_those_of_least_squares_at_the_better_optimum():
    """The log-likelihood of statsmodels ends at -437.74 here, and its SE at .1178; the SE at the maximum is .1245."""
    rng = np.random.default_rng(5)
    rows = [(f"p{i}", m, a, k) for i in range(15) for m in ("ga", "gb", "gc") for a in (0.0, 1.0, 2.0) for k in (1, 2)]
    data = pd.DataFrame(rows, columns=["subject", "model", "amp", "seed"])
    noise = rng.normal(size=len(data))
    persons = {f"p{i}": value for i, value in enumerate(rng.normal(size=15))}
    data["D"] = noise + 0.3 * data["amp"] + data["subject"].map(persons)
    fit = mixedlm("D ~ amp * C(model, Sum)", data, groups=data["subject"], vc_formula={"seed": "0 + C(seed)"}).fit()
    same = (data["subject"].to_numpy()[:, None] == data["subject"].to_numpy()) & np.equal.outer(
        data["seed"].to_numpy(), data["seed"].to_numpy()
    )
    V = fit.scale * np.eye(len(data)) + fit.vcomp[0] * same
    X = np.asarray(fit.model.exog)
    L = np.zeros(len(fit.params))
    L[[list(fit.params.index).index(name) for name in ("amp", "amp:C(model, Sum)[S.ga]")]] = 1.0
    wanted = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    error = float(np.sqrt(L @ fit.cov_params().to_numpy() @ L))
    assert error == pytest.approx(np.sqrt(L[: X.shape[1]] @ wanted @ L[: X.shape[1]]), rel=1e-9)
    assert error == pytest.approx(0.12447, abs=1e-5)
    assert fit.llf == pytest.approx(-409.9465, abs=1e-4)

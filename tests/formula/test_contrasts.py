from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.formula import make_design
from mixedsparse.data.formula.contrasts import Coding, read_contrasts
from mixedsparse.ground.errors import ArgumentError, ColumnError, DataError, OptionError

# R 4.2: contr.treatment, contr.sum, contr.helmert(4) and contr.poly(4).
R_MATRICES = {
    "treatment": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "sum": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]],
    "helmert": [[-1, -1, -1], [1, -1, -1], [0, 2, -1], [0, 0, 3]],
    "poly": [
        [-0.6708203932499369, 0.5, -0.2236067977499790],
        [-0.2236067977499790, -0.5, 0.6708203932499369],
        [0.2236067977499790, -0.5, -0.6708203932499369],
        [0.6708203932499369, 0.5, 0.2236067977499790],
    ],
}
LABELS = {
    "treatment": ["T.b", "T.c", "T.d"],
    "sum": ["S.a", "S.b", "S.c"],
    "helmert": ["H.b", "H.c", "H.d"],
    "poly": [".L", ".Q", ".C"],
}
# Polynomials come from a QR factorisation, the rest are integers.
TOL = 1e-14


def coded(contrast, levels=("a", "b", "c", "d")):
    coding = Coding(levels, read_contrasts({"f": contrast})["f"])
    codes = np.arange(len(levels))
    columns = [coding.column(codes, True, j) for j in range(len(coding.labels(True)))]
    return coding, np.column_stack(columns)


@pytest.mark.parametrize("kind", R_MATRICES)
def test_matrices_and_labels_are_those_of_r(kind):
    coding, matrix = coded(kind)
    np.testing.assert_allclose(matrix, R_MATRICES[kind], atol=TOL)
    assert coding.labels(True) == LABELS[kind]
    np.testing.assert_array_equal(coded(f"contr.{kind}")[1], matrix)


@pytest.mark.parametrize("kind", R_MATRICES)
@pytest.mark.parametrize("n", [2, 3, 7, 12])
def test_matrices_equal_formulaic(kind, n):
    from formulaic.transforms.contrasts import ContrastsRegistry

    levels = tuple(f"l{i:02d}" for i in range(n))
    coding, matrix = coded(kind, levels)
    theirs = getattr(ContrastsRegistry, kind)()
    np.testing.assert_allclose(matrix, np.asarray(theirs.get_coding_matrix(list(levels))), atol=1e-8)
    names = [theirs.FACTOR_FORMAT_REDUCED.format(name="f", field=c) for c in theirs.get_coding_column_names(levels)]
    assert [f"f[{label}]" for label in coding.labels(True)] == names


def test_polynomials_of_many_levels_stay_orthonormal():
    _, matrix = coded("poly", tuple(range(30)))
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(29), atol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-12)


def test_own_matrix_in_fixed_and_random_part(frame):
    own = np.array([[-0.5, 0], [0.5, -0.5], [0, 0.5]])
    design = make_design("y ~ a + (a | g)", frame, contrasts={"a": own})
    codes = frame["a"].map({"u": 0, "v": 1, "w": 2}).to_numpy()
    assert design.x_names == ("Intercept", "a[1]", "a[2]")
    np.testing.assert_array_equal(design.X[:, 1:], own[codes])
    np.testing.assert_array_equal(design.terms[0].z, design.X)


@pytest.mark.parametrize("contrast", ["sum", "helmert", "poly", "treatment", [[1, 0], [0, 1], [-1, -1]]])
def test_without_intercept_each_level_has_its_column(frame, contrast):
    design = make_design("y ~ 0 + a + (0 + a | g)", frame, contrasts={"a": contrast})
    assert design.x_names == ("a[u]", "a[v]", "a[w]")
    assert design.terms[0].columns == design.x_names
    np.testing.assert_array_equal(design.X, (frame["a"].to_numpy()[:, None] == ["u", "v", "w"]))


def test_contrasts_reach_interactions_and_numeric_columns(frame):
    design = make_design("y ~ a * z + (1 | g)", frame, contrasts={"a": "sum", "z": "sum"})
    assert design.x_names[:7] == ("Intercept", "a[S.u]", "a[S.v]", "z[S.0]", "z[S.1]", "z[S.2]", "z[S.3]")
    assert design.x_names[7:9] == ("a[S.u]:z[S.0]", "a[S.v]:z[S.0]")
    assert np.linalg.matrix_rank(design.X) == design.X.shape[1] == 15


def test_contrasts_beside_a_transform_of_the_same_column(frame):
    design = make_design("y ~ z + I(z**2) + a * log(w) + (1 | g)", frame, contrasts={"z": "sum", "a": "helmert"})
    assert design.x_names[1:5] == ("z[S.0]", "z[S.1]", "z[S.2]", "z[S.3]")
    np.testing.assert_array_equal(design.X[:, design.x_names.index("I(z ** 2)")], frame["z"] ** 2)
    np.testing.assert_array_equal(np.unique(design.X[:, design.x_names.index("a[H.w]")]), [-1, 2])


@pytest.mark.parametrize(
    ("contrasts", "error", "message"),
    [
        ({"a": "effects"}, OptionError, "'effects' is not known.*'treatment', 'sum', 'helmert', 'poly'"),
        ({"a": 3}, OptionError, "one row per level"),
        ({"a": object()}, OptionError, "neither a name nor an array"),
        ({"a": np.eye(2)}, DataError, r"shape \(2, 2\).*give an array of shape \(3, 2\)"),
        ({"a": np.ones((3, 2))}, DataError, "linearly dependent"),
        ({"nowhere": "sum"}, KeyError, "no column 'nowhere', used in contrasts"),
    ],
)
def test_contrasts_that_make_no_sense_are_refused(frame, contrasts, error, message):
    with pytest.raises(error, match=message):
        make_design("y ~ a + (1 | g)", frame, contrasts=contrasts)


def test_contrasts_of_a_model_without_terms_are_warned_of(frame):
    # The smallest model of a comparison gets the options of the others.
    with pytest.warns(ms.UnusedOptionWarning, match=r"contrasts\['a'\] changes nothing"):
        design = make_design("y ~ 1 + (1 | g)", frame, contrasts={"a": "sum"})
    assert design.x_names == ("Intercept",)


@pytest.mark.parametrize(
    ("formula", "key", "message"),
    [
        ("y ~ a + (1 | g)", "b", r"contrasts\['b'\] would change nothing: .* Leave it out; .* are 'a'\."),
        ("y ~ a + (1 | g)", "g", "would change nothing"),
        ("y ~ a + x + I(z > 1) + (1 | g)", "z", "would change nothing"),
        ("y ~ a + (1 | g)", "C(a)", "the key is the name of the column, write 'a'"),
        ("y ~ factor(a) + (1 | g)", "factor(a)", "the key is the name of the column, write 'a'"),
        ("y ~ C(a, contr.helmert) + (1 | g)", "a", r"'C\(a, contr.helmert\)' in the formula both say"),
        ("y ~ a + (C(a, contr.helmert) | g)", "a", "both say how 'a' is coded"),
    ],
)
def test_contrasts_that_match_nothing_are_refused(frame, formula, key, message):
    with pytest.raises(OptionError, match=message):
        make_design(formula, frame, contrasts={key: "sum"})


def test_contrasts_for_an_absent_column_name_the_nearest(frame):
    with pytest.raises(ColumnError, match=r"no column 'A', used in contrasts.* Did you mean 'a'\?"):
        make_design("y ~ a + (1 | g)", frame, contrasts={"A": "sum"})


@pytest.mark.parametrize("bad", ["sum", [("a", "sum")], {"a"}, 1])
def test_contrasts_must_be_a_dict(frame, bad):
    with pytest.raises(ArgumentError, match=r"write contrasts=\{'column': 'sum'\}"):
        make_design("y ~ a + (1 | g)", frame, contrasts=bad)


@pytest.mark.parametrize("call", ["C({})", "factor({})", "as.factor({})", "C(`{}`)", 'C(Q("{}"))'])
def test_contrasts_reach_a_column_inside_c(frame, call):
    terms = f"{call.format('a')} * {call.format('z')} + ({call.format('a')} | g)"
    kinds = {"a": "sum", "z": "helmert"}
    plain, called = (make_design(f"y ~ {t}", frame, contrasts=kinds) for t in ("a * z + (a | g)", terms))
    np.testing.assert_array_equal(called.X, plain.X)
    np.testing.assert_array_equal(called.terms[0].z, plain.terms[0].z)
    assert called.x_names[1] == "C(a)[S.u]"
    assert called.x_names == tuple(n.replace("a[", "C(a)[").replace("z[", "C(z)[") for n in plain.x_names)
    new = frame.iloc[[5, 0, 9]]
    np.testing.assert_array_equal(called.matrices(new).X, plain.matrices(new).X)


def test_levels_that_are_equal_but_spelled_otherwise_keep_their_names(frame):
    whole = make_design("y ~ C(z) + (1 | g)", frame)
    decimal = make_design("y ~ C(z) + (1 | g)", frame.assign(z=frame["z"].astype(float)))
    assert whole.x_names[1] == "C(z)[T.1]"
    assert decimal.x_names[1] == "C(z)[T.1.0]"


# Differences between neighbours: v - u, w - v.
TABLE = pd.DataFrame({"v-u": [-2 / 3, 1 / 3, 1 / 3], "w-v": [-1 / 3, -1 / 3, 2 / 3]}, index=["u", "v", "w"])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_rows_of_a_table_go_to_the_levels_they_name(frame, order):
    want = make_design("y ~ a + (a | g)", frame, contrasts={"a": TABLE.to_numpy()})
    found = make_design("y ~ a + (a | g)", frame, contrasts={"a": TABLE.iloc[order]})
    np.testing.assert_array_equal(found.X, want.X)
    assert found.x_names == ("Intercept", "a[v-u]", "a[w-v]")
    assert found.terms[0].columns == found.x_names
    assert want.x_names == ("Intercept", "a[1]", "a[2]")
    new = frame.iloc[[7, 3, 1]]
    np.testing.assert_array_equal(found.matrices(new).X, want.matrices(new).X)


def test_tables_are_matched_by_value_or_by_text(frame):
    numbers = TABLE.set_axis(sorted(frame["z"].unique())[:3])
    rows = frame[frame["z"].isin(numbers.index)]
    want = make_design("y ~ z + (1 | g)", rows, contrasts={"z": numbers}).X
    for labels in (numbers.index.astype(float), numbers.index.astype(str)):
        shuffled = numbers.set_axis(labels).iloc[[2, 0, 1]]
        np.testing.assert_array_equal(make_design("y ~ z + (1 | g)", rows, contrasts={"z": shuffled}).X, want)


def test_a_table_without_labels_goes_by_position_and_a_series_is_one_contrast(frame):
    want = make_design("y ~ a + b + (1 | g)", frame, contrasts={"a": TABLE, "b": [[0.5], [-0.5]]})
    plain = TABLE.reset_index(drop=True).set_axis(range(2), axis="columns")
    half = pd.Series([-0.5, 0.5], index=["q", "p"], name="p-q")
    found = make_design("y ~ a + b + (1 | g)", frame, contrasts={"a": plain, "b": half})
    np.testing.assert_array_equal(found.X, want.X)
    assert found.x_names == ("Intercept", "a[1]", "a[2]", "b[p-q]")


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (
            TABLE.set_axis(["x", "y", "z"]),
            DataError,
            r"labelled \['x', 'y', 'z'\], but .* are \['u', 'v', 'w'",
        ),
        (TABLE.iloc[[0, 1]], DataError, "labelled"),
        (TABLE.set_axis(["u", "u", "v"]), OptionError, "several rows called 'u'"),
        (TABLE.set_axis(["p", "p"], axis="columns"), OptionError, "several columns called 'p'"),
    ],
)
def test_tables_with_other_labels_are_refused(frame, table, error, message):
    with pytest.raises(error, match=message):
        make_design("y ~ a + (1 | g)", frame, contrasts={"a": table})


def test_successive_differences_are_those_of_mass():
    # MASS::contr.sdif(4)
    coding, matrix = coded("sdif")
    np.testing.assert_allclose(
        matrix, [[-0.75, -0.5, -0.25], [0.25, -0.5, -0.25], [0.25, 0.5, -0.25], [0.25, 0.5, 0.75]], atol=TOL
    )
    assert coding.labels(True) == ["b-a", "c-b", "d-c"]
    assert coded("diff")[0].labels(True) == coding.labels(True)


@pytest.mark.parametrize(
    ("contrast", "coefficients"),
    [  # fixef(lmer(score ~ Machine + (1|Worker), d, contrasts=list(Machine=...)))
        ("sdif", {"Intercept": 59.65, "Machine[B-A]": 7.966666667, "Machine[C-B]": 5.95}),
        (("treatment", "B"), {"Intercept": 60.322222222, "Machine[T.A]": -7.966666667, "Machine[T.C]": 5.95}),
        ("contr.SAS", {"Intercept": 66.27222222, "Machine[T.A]": -13.91666667, "Machine[T.B]": -5.95}),
        (("sum", "A"), {"Intercept": 59.65, "Machine[S.B]": 0.672222222, "Machine[S.C]": 6.622222222}),
        (
            {"x": "B - A", "y": "C - (A + B) / 2"},
            {"Intercept": 59.65, "Machine[x]": 7.966666667, "Machine[y]": 9.933333333},
        ),
        (
            ms.hypotheses({"Intercept": "A", "B": "B = A", "C": {"C": 1, "A": -1}}),
            {"Intercept": 52.355555556, "Machine[B]": 7.966666667, "Machine[C]": 13.91666667},
        ),
        (
            pd.DataFrame([[-1, 1, 0], [0, -1, 1]], index=["x", "y"], columns=list("ABC")).pipe(ms.hypotheses),
            {"Intercept": 59.65, "Machine[x]": 7.966666667, "Machine[y]": 5.95},
        ),
    ],
)
def test_coefficients_are_those_of_r(contrast, coefficients):
    fit = ms.lmer("score ~ Machine + (1 | Worker)", ms.datasets.load("Machines"), contrasts={"Machine": contrast})
    assert fit.params.index.tolist() == list(coefficients)
    assert fit.params.tolist() == pytest.approx(list(coefficients.values()), rel=1e-8)


def test_hypotheses_find_levels_by_text_and_in_backticks():
    about = ms.hypotheses({"late": "`2` - `1`", "later": [0, -1, 1]})
    matrix = about.matrix([1, 2, 3])
    back = np.linalg.inv(np.column_stack([np.ones(3), matrix]))
    np.testing.assert_allclose(back, [[1 / 3] * 3, [-1, 1, 0], [0, -1, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("about", "error", "message"),
    [
        ({"x": "v - u"}, DataError, "There are 1 hypotheses about 'a'.*: 3 levels have 2 comparisons"),
        ({"x": "v - u", "y": "u - v"}, DataError, "depend on each other"),
        ({"x": "v - u", "y": "z - u"}, DataError, "has no level 'z' in the rows used, but 'u', 'v', 'w'"),
        ({"x": "v - u", "y": "w"}, DataError, "There are 1 hypotheses"),
        ({"x": "v - u", "y": "2 * w"}, DataError, "weights that sum to 2"),
        ({"x": [1, -1], "y": "w - u"}, DataError, "has 2 weights for 3 levels"),
        ({"x": "v * u", "y": "w - u"}, OptionError, "cannot be read"),
        ({"x": "v - 1", "y": "w - u"}, OptionError, "a number that no level stands beside"),
        ({"x": {"v": "1"}, "y": "w - u"}, OptionError, "give a finite number"),
        (("helmert", "u"), OptionError, "a level stands beside 'treatment' and 'sum' only"),
        (("treatment", "z"), DataError, r"there is no level 'z' in the rows used, but \['u', 'v', 'w'\]"),
    ],
)
def test_hypotheses_that_make_no_contrasts_are_refused(frame, about, error, message):
    with pytest.raises(error, match=message):
        make_design("y ~ a + (1 | g)", frame, contrasts={"a": about})


def test_files_keep_hypotheses_and_references(tmp_path):
    for contrast in (ms.hypotheses({"x": "B - A", "y": "C - B"}), ("treatment", "C"), {"x": "B - A", "y": "C - A"}):
        fit = ms.lmer("score ~ Machine + (1 | Worker)", ms.datasets.load("Machines"), contrasts={"Machine": contrast})
        fit.save(tmp_path / "fit.ms")
        again = ms.load(tmp_path / "fit.ms")
        new = {"Machine": ["A", "C"], "Worker": ["1", "2"]}
        assert again.predict(new).tolist() == fit.predict(new).tolist()
        assert again.params.index.tolist() == fit.params.index.tolist()


@pytest.mark.parametrize(
    ("coding", "formula"),
    [
        ("center", "Reaction ~ center(Days) + (center(Days) | Subject)"),
        (("center", 4), "Reaction ~ I(Days - 4) + (I(Days - 4) | Subject)"),
        (("scale", 2.5), "Reaction ~ I(Days / 2.5) + (I(Days / 2.5) | Subject)"),
        ("zscore", "Reaction ~ scale(Days) + (scale(Days) | Subject)"),
        (("zscore", -1, 2), "Reaction ~ I((Days + 1) / 2) + (I((Days + 1) / 2) | Subject)"),
    ],
)
def test_numbers_are_centred_and_scaled_where_they_are_terms(coding, formula):
    data = ms.datasets.load("sleepstudy")
    plain = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data, contrasts={"Days": coding})
    assert fit.formula == formula
    new = {"Days": [1, 12], "Subject": ["308", "309"]}
    np.testing.assert_allclose(fit.predict(new), plain.predict(new), rtol=1e-6)
    np.testing.assert_allclose(
        fit.emmeans("Days", at={"Days": [3]}).table["emmean"], plain.emmeans("Days", at={"Days": [3]}).table["emmean"]
    )


def test_codings_of_numbers_leave_calls_groups_and_responses_alone(frame):
    fit = ms.LinearMixedModel("log(w) ~ a * w + I(w**2) + (0 + w || g)", frame, contrasts={"w": "center", "a": "sum"})
    assert fit.formula == "log(w) ~ a * center(w) + I(w**2) + (0 + center(w) || g)"
    assert "a[S.u]:center(w)" in fit.design.x_names
    for column, coding, message in (
        ("w", ("scale",), "write 'center'"),
        ("w", ("center", "2"), "give numbers beside 'center'"),
        ("y", "center", "contrasts\\['y'\\] would change nothing"),
    ):
        with pytest.raises(OptionError, match=message):
            ms.LinearMixedModel("y ~ w + (1 | g)", frame, contrasts={column: coding})


def test_codings_reach_files(tmp_path):
    pytest.importorskip("duckdb")
    data = ms.datasets.load("sleepstudy").assign(half=lambda d: np.where(d["Days"] > 4, "late", "early"))
    data.to_parquet(tmp_path / "sleep.parquet")
    kinds = {"Days": "center", "half": {"l-e": "late - early"}}
    fits = [
        ms.lmer("Reaction ~ Days + half + (1 | Subject)", d, contrasts=kinds)
        for d in (data, str(tmp_path / "sleep.parquet"))
    ]
    assert fits[1].params.index.tolist() == fits[0].params.index.tolist()
    np.testing.assert_allclose(fits[1].params, fits[0].params, rtol=1e-8)


def test_ordered_categories_are_noted():
    data = ms.datasets.load("cake")
    fit = ms.lmer("angle ~ temperature + (1 | replicate)", data)
    assert "contrasts={'temperature': 'poly'}" in str(fit.summary())
    for kind in ("poly", "treatment"):
        given = ms.lmer("angle ~ temperature + (1 | replicate)", data, contrasts={"temperature": kind})
        assert "ordered" not in str(given.summary())


def test_ordered_categories_have_rs_polynomials_and_a_note():
    # q <- factor(c("a", "b", "c")[Days %/% 4 + 1], ordered = TRUE); lmer(Reaction ~ q + (1 | Subject), sleepstudy)
    data = ms.datasets.load("sleepstudy")
    data["q"] = pd.Categorical(data["Days"].map(lambda day: "abc"[day // 4]), list("abc"), ordered=True)
    found = ms.lmer("Reaction ~ q + (1 | Subject)", data, contrasts={"q": "poly"})
    want = {"Intercept": 306.04663704, "q[.L]": 53.99820640, "q[.Q]": -1.19723971}
    np.testing.assert_allclose(found.params[list(want)], list(want.values()), rtol=1e-8)
    np.testing.assert_allclose(found.bse, [9.085818182, 4.686447112, 4.133057864], rtol=1e-7)
    assert "write contrasts={'q': 'poly'}" in str(ms.lmer("Reaction ~ q + (1 | Subject)", data).summary())

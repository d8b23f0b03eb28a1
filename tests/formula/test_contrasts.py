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

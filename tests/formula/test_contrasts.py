from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.errors import DataError, OptionError
from mixedsparse.formula import make_design
from mixedsparse.formula.contrasts import Coding, read_contrasts

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


def test_contrasts_for_a_column_that_the_formula_leaves_out_are_harmless(frame):
    # So that a reduced model is fitted with the arguments of the full one.
    with_b = make_design("y ~ a + (1 | g)", frame, contrasts={"a": "sum", "b": "sum"})
    without = make_design("y ~ a + (1 | g)", frame, contrasts={"a": "sum"})
    assert with_b.x_names == without.x_names
    np.testing.assert_array_equal(with_b.X, without.X)


def test_contrasts_for_a_grouping_factor_are_harmless(frame):
    design = make_design("y ~ a + (1 | g)", frame, contrasts={"g": "sum"})
    assert design.terms[0].n_levels == 6

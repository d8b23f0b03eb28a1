"""Roles, memberships and known relationships: published kinds of models by lme4 on a replaced Z, and dense formulas."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

import mixedsparse as ms
from mixedsparse import RandomTerm
from mixedsparse.ground.errors import BackendError, DataError, FormulaError, OptionError
from tests.oracle import one_hot, related

DATA = Path(__file__).parents[1] / "data" / "relations"


def read(name: str, *factors: str) -> pd.DataFrame:
    data = pd.read_csv(DATA / f"{name}.csv")
    return data.assign(**{factor: data[factor].astype(str) for factor in factors})


def animals(effects: str = "1") -> ms.MixedResults:
    formula = f"y ~ sex + age + ({effects} | rel(animal)) + (1 | animal)"
    return ms.lmer(formula, read("animals"), relations={"animal": ms.Pedigree(read("pedigree"))})


def phylogeny() -> ms.MixedResults:
    K = read("phylo_K").to_numpy()
    labels = [str(i + 1) for i in range(len(K))]
    relations = {"species": pd.DataFrame(K, index=labels, columns=labels)}
    return ms.lmer("y ~ x + (1 | rel(species)) + (1 | species)", read("phylo", "species"), relations=relations)


# Criterion, coefficients, standard errors, sigma and covariances by lme4 1.1-31 on a replaced Z, confirmed by a dense
# likelihood to 1e-8 and, for the animal model, by mgcv.
REFERENCE = {
    "roles": (
        lambda: ms.lmer("y ~ x + (1 | roles(sender, receiver))", read("dyads")),
        2267.75580257244,
        [2.20800360202606, 0.533943536644577],
        [0.433200496433704, 0.054898323328754],
        1.26994619286549,
        {"roles(sender, receiver)": [[1.53741796157166, 0.800706510846385], [0.800706510846385, 0.933004751277145]]},
    ),
    "membership": (
        lambda: ms.lmer("y ~ x + (1 | mm(m1, m2, weights=(w1, w2)))", read("multimember"), reml=True),
        767.129688336277,
        [0.898528864197918, 0.141965404634851],
        [0.205256638824677, 0.057563854266807],
        0.939246220676695,
        {"mm(m1, m2)": [[1.14925944889912]]},
    ),
    "animal model": (
        animals,
        1154.2638422391,
        [2.50883334493758, 0.390992766933702, 0.313318269230769],
        [0.277893472042918, 0.242504179316272, 0.0893903560740132],
        1.28920604942735,
        {"rel(animal)": [[1.1137007300532]], "animal": [[0.145494361486007]]},
    ),
    "random regression": (
        lambda: animals("age"),
        1121.53237590447,
        [2.47290745986807, 0.431955949079249, 0.153270604002461],
        [0.27343785996076, 0.239586462297361, 0.192762711223913],
        1.01548568173508,
        {
            "rel(animal)": [[1.06094722243854, 0.289853489924802], [0.289853489924802, 0.637082831831791]],
            "animal": [[0.387896186273312]],
        },
    ),
    "phylogeny": (
        phylogeny,
        198.771785506373,
        [1.20380028605624, 0.37668399292872],
        [0.679218309741891, 0.0793096739975281],
        0.54980581398161,
        {"rel(species)": [[1.6904658349419]], "species": [[0.0]]},
    ),
}


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
@pytest.mark.parametrize("case", REFERENCE)
def test_fits_are_those_of_lme4_on_a_replaced_design(case: str) -> None:
    make, criterion, beta, errors, sigma, covariances = REFERENCE[case]
    fit = make()
    assert fit.criterion == pytest.approx(criterion, abs=1e-6)
    np.testing.assert_allclose(fit.params, beta, atol=1e-5 * np.min(errors))
    np.testing.assert_allclose(fit.bse, errors, rtol=1e-5)
    assert fit.sigma == pytest.approx(sigma, rel=2e-5)
    for group, expected in covariances.items():
        np.testing.assert_allclose(fit.cov_re[group], expected, rtol=2e-4, atol=1e-8)


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
def test_roles_name_the_effects() -> None:
    fit = REFERENCE["roles"][0]()
    assert list(fit.random_effects["roles(sender, receiver)"].columns) == ["sender", "receiver"]
    assert fit.varcorr()["var1"].tolist()[:2] == ["sender", "receiver"]
    slopes = ms.lmer("y ~ x + (x | roles(sender, receiver))", read("dyads").iloc[:150])
    names = ["sender", "sender:x", "receiver", "receiver:x"]
    assert list(slopes.random_effects["roles(sender, receiver)"].columns) == names


def test_independent_roles_are_two_terms_in_all_tests() -> None:
    data = small()
    one, two = (ms.lmer(f"y ~ x + {part}", data) for part in ("diag(1 | roles(a, b))", "(1 | a) + (1 | b)"))
    assert one.criterion == pytest.approx(two.criterion, rel=1e-12)
    assert one.df_model == two.df_model
    for ddf in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(one.coef_table(ddf=ddf), two.coef_table(ddf=ddf), rtol=1e-6)
    correlated = fitted("roles")
    table = ms.anova(one, correlated, refit=False)
    assert table["Df"].iloc[1] == 1
    assert table["Chisq"].iloc[1] == pytest.approx(one.criterion - correlated.criterion, abs=1e-8)
    assert "levels meet one another" in correlated.model.cost().reason.lower()


N, LEVELS = 90, 8


def small() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    sender = rng.permutation(np.arange(N) % LEVELS)
    receiver = (sender + 1 + rng.integers(LEVELS - 1, size=N)) % LEVELS
    animal = rng.integers(9, 21, size=N)
    effects = rng.normal(size=(LEVELS, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    x, share = rng.normal(size=N), rng.uniform(0.2, 0.8, size=N)
    breeding = rng.normal(size=21)
    y = x + effects[sender, 0] + effects[receiver, 1] + breeding[animal] + rng.normal(size=N)
    names = np.array([f"p{i}" for i in range(LEVELS)])
    return pd.DataFrame(
        {"y": y, "x": x, "a": names[sender], "b": names[receiver], "w1": share, "w2": 1 - share, "animal": animal}
    )


def family() -> ms.Pedigree:
    rng = np.random.default_rng(12)
    sires, dams = [0] * 8 + list(rng.integers(1, 5, size=12)), [0] * 8 + list(rng.integers(5, 9, size=12))
    return ms.Pedigree({"animal": range(1, 21), "sire": sires, "dam": dams})


FORMULAS = {
    "roles": "y ~ x + (1 | roles(a, b))",
    "membership": "y ~ x + (1 | mm(a, b, weights=(w1, w2)))",
    "relationship": "y ~ x + (1 | rel(animal)) + (1 | a)",
}
PARENTS = pd.DataFrame({"animal": ["a", "b"], "sire": [None, "a"], "dam": [None, None]})
LINE = pd.DataFrame(np.outer([1, 2, 3], [1, 2, 3]), index=[9, 10, 11], columns=[9, 10, 11])


def fitted(kind: str) -> ms.MixedResults:
    relations = {"animal": family()} if "rel(" in FORMULAS[kind] else None
    return ms.lmer(FORMULAS[kind], small(), relations=relations)


def dense_parts(fit: ms.MixedResults) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X, Z and the covariance of b over sigma^2."""
    problem, templates = fit._fitted.problem, fit._fitted.fit.templates
    G = [np.kron(related(term), lam @ lam.T) for term, lam in zip(problem.terms, templates, strict=True)]
    return fit._fitted.X, np.hstack([one_hot(term) for term in problem.terms]), block_diag(*G)


@pytest.mark.parametrize("kind", FORMULAS)
def test_statistics_of_rows_are_those_of_dense_matrices(kind: str) -> None:
    fit, data = fitted(kind), small()
    X, Z, G = dense_parts(fit)
    V = np.eye(N) + Z @ G @ Z.T
    W = np.linalg.inv(V)
    K = np.linalg.inv(X.T @ W @ X)
    P = W - W @ X @ K @ X.T @ W
    np.testing.assert_allclose(fit.cov_params(), fit.scale * K, rtol=1e-8)
    np.testing.assert_allclose(fit.marginal_cov(slice(None)), fit.scale * V, atol=1e-9)
    np.testing.assert_allclose(fit.resid, P @ data["y"], atol=1e-9)
    np.testing.assert_allclose(fit.leverage(), 1 - np.diagonal(P), atol=1e-9)
    np.testing.assert_allclose(fit.get("Z").toarray() @ fit.get("b"), Z @ G @ Z.T @ P @ data["y"], atol=1e-9)
    np.testing.assert_allclose(fit.get("Lam") @ fit.get("u"), fit.get("b"), atol=1e-9)
    share = np.trace(V - np.eye(N)) / np.trace(V)
    assert fit.icc()["adjusted"] == pytest.approx(share, rel=1e-10)

    joint = np.linalg.inv(np.block([[X.T @ X, X.T @ Z], [Z.T @ X, Z.T @ Z + np.linalg.inv(G)]]))
    rows = np.hstack([X, Z])[:9]
    known = fit.predict(data.iloc[:9], interval="confidence", ddf="normal")
    half = np.sqrt(fit.scale * np.einsum("ij,jk,ik->i", rows, joint, rows))
    np.testing.assert_allclose((known["upper"] - known["lower"]) / 2, 1.959963984540054 * half, rtol=1e-8)
    new = fit.predict(data.iloc[:9], random="population", interval="prediction", ddf="normal")
    half = np.sqrt(fit.scale * (np.einsum("ij,jk,ik->i", X[:9], K, X[:9]) + np.diagonal(V)[:9]))
    np.testing.assert_allclose((new["upper"] - new["lower"]) / 2, 1.959963984540054 * half, rtol=1e-8)
    wide = fit.predict(data.iloc[:9], random="population", interval="prediction")
    assert ((wide["upper"] - wide["lower"]) / 2 >= 1.959963984540054 * half).all()


@pytest.mark.parametrize("kind", FORMULAS)
def test_results_come_back_from_files_and_pickles(kind: str, tmp_path: Path) -> None:
    fit, data = fitted(kind), small()
    for i, keep in enumerate((True, False)):
        fit.save(tmp_path / f"{i}.ms", data=keep)
        again = ms.load(tmp_path / f"{i}.ms")
        np.testing.assert_allclose(again.predict(data.iloc[:5]), fit.fittedvalues[:5], atol=1e-12)
        np.testing.assert_allclose(again.coef_table(), fit.coef_table(), rtol=1e-9)
        np.testing.assert_allclose(again.icc(), fit.icc(), rtol=1e-12)
    assert pickle.loads(pickle.dumps(fit)).criterion == fit.criterion


@pytest.mark.parametrize("kind", FORMULAS)
def test_draws_have_the_covariance_of_the_model(kind: str) -> None:
    fit = fitted(kind)
    V = fit.marginal_cov(slice(None)).to_numpy()
    drawn = fit.simulate(4000, seed=5).to_numpy()
    assert np.abs(np.cov(drawn) - V).max() < 0.12 * np.diagonal(V).max()
    boot = fit.bootstrap(3, seed=1)
    assert np.isfinite(boot.table.to_numpy()).all()
    refit = fit.refit(fit.simulate(1, seed=2)[0])
    assert refit.converged


def replaced(weights: np.ndarray | None = None) -> tuple[ms.MixedResults, ms.MixedResults]:
    """Fit a relationship by its precision matrix, and by independent levels of which every row has a share."""
    data = small()
    pedigree = family()
    codes = pd.Index(pedigree.levels).get_indexer(data["animal"])
    known = pedigree.relationship()
    X, one = np.column_stack([np.ones(N), data["x"]]), np.ones(N)
    a = pd.factorize(data["a"], sort=True)[0]
    K = known.times(np.eye(len(pedigree)))
    shares = np.linalg.cholesky(K)[codes]
    levels = [np.full(N, i) for i in range(len(pedigree))]
    by_precision = RandomTerm("animal", codes, one, levels=pedigree.levels, precision=known)
    by_shares = RandomTerm("animal", levels, list(shares.T), levels=pedigree.levels)
    other = RandomTerm("a", a, one)
    return tuple(
        ms.LinearMixedModel.from_arrays(data["y"].to_numpy(), X, [term, other], weights=weights).fit()
        for term in (by_precision, by_shares)
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_a_relationship_is_independent_levels_on_a_replaced_design(weighted: bool) -> None:
    weights = np.random.default_rng(3).uniform(0.5, 2.0, size=N) if weighted else None
    one, other = replaced(weights)
    assert one.criterion == pytest.approx(other.criterion, rel=1e-11)
    np.testing.assert_allclose(one.params, other.params, rtol=1e-6)
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-4)
    np.testing.assert_allclose(one.coef_table(ddf="kenward-roger"), other.coef_table(ddf="kenward-roger"), rtol=1e-4)
    np.testing.assert_allclose(one.caic(), other.caic(), rtol=1e-5)
    np.testing.assert_allclose(one.leverage(), other.leverage(), atol=1e-6)
    np.testing.assert_allclose(one.influence().table, other.influence().table, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one.conf_int(method="profile"), other.conf_int(method="profile"), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(one.ranova()["LRT"].dropna(), other.ranova()["LRT"].dropna(), rtol=1e-4, atol=1e-6)


def test_ancestors_without_records_have_breeding_values_and_reliabilities() -> None:
    fit = animals()
    pedigree = ms.Pedigree(read("pedigree"))
    modes = fit.random_effects["rel(animal)"]["Intercept"]
    assert modes.index.tolist() == pedigree.levels.tolist()
    assert not set(modes.index) <= set(read("animals")["animal"])
    A = pedigree.relationship().times(np.eye(len(pedigree)))
    problem = fit._fitted.problem
    X, Z, G = dense_parts(fit)
    V = fit.scale * (np.eye(len(X)) + Z @ G @ Z.T)
    W = np.linalg.inv(V)
    P = W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    additive = fit.cov_re["rel(animal)"].iloc[0, 0]
    own = one_hot(problem.terms[0])
    explained = np.diagonal(additive * A @ own.T @ P @ own @ A * additive)
    table = fit.breeding_values("animal")
    np.testing.assert_allclose(table["value"], additive * A @ own.T @ P @ read("animals")["y"], atol=1e-8)
    np.testing.assert_allclose(table["reliability"], explained / (additive * np.diagonal(A)), atol=1e-8)
    np.testing.assert_allclose(table["pev"], additive * np.diagonal(A) - explained, atol=1e-8)
    ancestor = next(level for level in modes.index if level not in set(read("animals")["animal"]))
    new = pd.DataFrame({"animal": [ancestor], "sex": [0], "age": [0]})
    expected = fit.params["Intercept"] + modes[ancestor]
    assert fit.predict(new, random="rel(animal)").iloc[0] == pytest.approx(expected, rel=1e-12)


def test_precision_covariance_and_pedigree_agree() -> None:
    pedigree, data = family(), small()
    known = pedigree.relationship()
    K = pd.DataFrame(known.times(np.eye(len(pedigree))), index=pedigree.levels, columns=pedigree.levels)
    shuffled = K.sample(frac=1.0, random_state=1)  # rows and columns in different orders
    values = [
        ms.lmer("y ~ x + (1 | rel(animal))", data, relations={"animal": relation}).criterion
        for relation in (pedigree, K, shuffled, ms.Precision(known.precision, pedigree.levels))
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-11)


@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
def test_several_terms_on_one_relationship_stand_side_by_side(tmp_path: Path) -> None:
    data, relations = small(), {"animal": family()}
    apart = ms.lmer("y ~ x + (x || rel(animal))", data, relations=relations)
    two = ms.lmer("y ~ x + (1 | rel(animal)) + (0 + x | rel(animal))", data, relations=relations)
    assert apart.criterion == pytest.approx(two.criterion, rel=1e-12)
    assert len(apart._fitted.problem.grams) == 1
    X, Z, G = dense_parts(apart)
    assert Z.shape[1] == 2 * len(family())
    W = np.linalg.inv(np.eye(N) + Z @ G @ Z.T)
    np.testing.assert_allclose(apart.cov_params(), apart.scale * np.linalg.inv(X.T @ W @ X), rtol=1e-8)
    apart.save(tmp_path / "fit.ms")
    again = ms.load(tmp_path / "fit.ms")
    np.testing.assert_allclose(again.leverage(), apart.leverage(), atol=1e-10)
    np.testing.assert_allclose(again.random_effects_cov["rel(animal)"], apart.random_effects_cov["rel(animal)"])
    weights = {"Intercept": 1.0, "x": 2.0}
    values = again.breeding_values("animal", weights)
    np.testing.assert_allclose(values["value"], again.random_effects["rel(animal)"] @ [1.0, 2.0], atol=1e-12)
    assert ((values["reliability"] > -1e-9) & (values["reliability"] < 1)).all()


@pytest.mark.parametrize("kind", FORMULAS)
def test_residual_variances_by_strata_go_with_all_of_them(kind: str) -> None:
    data = small().assign(stratum=lambda d: np.where(d["x"] > 0, "high", "low"))
    relations = {"animal": family()} if "rel(" in FORMULAS[kind] else None
    fit = ms.lmer(FORMULAS[kind], data, relations=relations, dispersion="~ stratum")
    X, y, V = fit._fitted.X, data["y"].to_numpy(), fit.marginal_cov(slice(None)).to_numpy()
    W = np.linalg.inv(V)
    K = np.linalg.inv(X.T @ W @ X)
    e = y - X @ fit.params.to_numpy()
    log_dets = np.linalg.slogdet(V)[1] + np.linalg.slogdet(X.T @ W @ X)[1]
    assert fit.criterion == pytest.approx(log_dets + e @ W @ e + (N - 2) * np.log(2 * np.pi), rel=1e-11)
    np.testing.assert_allclose(fit.cov_params(), K, rtol=1e-8)
    problem, templates = fit._fitted.problem, fit._fitted.fit.templates
    R = V - fit.scale * sum(
        one_hot(t) @ np.kron(related(t), lam @ lam.T) @ one_hot(t).T
        for t, lam in zip(problem.terms, templates, strict=True)
    )
    assert len(np.unique(np.diagonal(R).round(8))) == 2
    np.testing.assert_allclose(fit.resid, R @ W @ e, atol=1e-8)


def test_order_of_rows_and_names_of_levels_do_not_matter() -> None:
    data = small()
    other = data.sample(frac=1.0, random_state=3)
    other = other.assign(a="q" + other["a"], b="q" + other["b"])
    for formula in (FORMULAS["roles"], FORMULAS["membership"]):
        one, two = ms.lmer(formula, data), ms.lmer(formula, other)
        assert two.criterion == pytest.approx(one.criterion, rel=1e-12)


def test_wrong_calls_have_one_clear_answer() -> None:
    data, K = small(), pd.DataFrame(np.eye(3), index=[9, 10, 11], columns=[9, 10, 11])
    for formula, relations, error, message in (
        ("y ~ x + (1 | rel(animal))", None, OptionError, "relations= has none: give"),
        ("y ~ x + (1 | a)", {"animal": family()}, OptionError, "no term of the formula"),
        ("y ~ x + (1 | rel(animal))", {"animal": K}, DataError, "has no level '12', '13', '14', and"),
        ("y ~ x + (1 | rel(animal))", {"animal": np.eye(3)}, OptionError, "ms.Precision"),
        ("y ~ x + (1 | rel(animal))", {"animal": K + 1.0 - np.eye(3)}, DataError, r"ms\.nearest\(K\)"),
        ("y ~ x + (1 | rel(animal))", {"animal": PARENTS}, DataError, r"a pedigree is given as ms\.Pedigree"),
        ("y ~ x + (1 | rel(animal))", {"animal": K * [1, 1, -2]}, DataError, "eigenvalue is -2, .* no covariance"),
        ("y ~ x + (1 | rel(animal))", {"animal": K * [1, 0, 1]}, DataError, "'10' has no variance"),
        ("y ~ x + (1 | rel(animal))", {"animal": LINE}, DataError, "rank 1 for 3 levels"),
        ("y ~ x + (1 | roles(a, animal))", None, DataError, "make them of one type"),
        ("y ~ x + (1 | roles(a))", None, FormulaError, "has 1 columns, not 2"),
        ("y ~ x + (1 | roles(a, a))", None, FormulaError, "names a column twice"),
        ("y ~ x + (x || roles(a, b))", None, FormulaError, r"write 'diag\(x \| roles\(a, b\)\)'"),
        ("y ~ x + (1 | mm(a, b, weights=(w1)))", None, FormulaError, "2 columns, but 1 weights"),
        ("y ~ x + (1 | mm(a, b, shares=(w1, w2)))", None, FormulaError, "no argument 'shares'"),
        ("y ~ x + (1 | rel(animal)/a)", {"animal": family()}, FormulaError, "all that stands after the bar"),
        ("y ~ x + (1 | gr(animal, cov = A))", None, FormulaError, "rel"),
        ("y ~ x + (1 | rel(animl))", {"animal": family()}, ms.ColumnError, "animl"),
    ):
        with pytest.raises(error, match=message):
            ms.lmer(formula, data, relations=relations)
    with pytest.raises(DataError, match="same=True"):
        ms.lmer(FORMULAS["roles"], data.assign(b=data["a"].where(data.index < 3, data["b"])))
    with pytest.raises(FormulaError, match="for linear models"):
        ms.glmer("z ~ x + (1 | roles(a, b))", data.assign(z=(data["y"] > 0).astype(int)))
    with pytest.raises(BackendError, match="method='direct'"):
        ms.lmer(FORMULAS["roles"], data, method="iterative")


def test_what_needs_independent_levels_says_so() -> None:
    roles, animal = fitted("roles"), fitted("relationship")
    for call in (
        lambda: roles.influence(group="roles(a, b)"),
        lambda: roles.bootstrap(3, seed=1, kind="cases"),
        lambda: animal.bootstrap(3, seed=1, kind="residual"),
        lambda: ms.parsimony(roles),
        lambda: roles.plot.shrinkage("roles(a, b)"),
    ):
        with pytest.raises(OptionError, match=r"parametric|one label per row|by hand|caterpillar"):
            call()


def test_words_of_groupings_are_no_names_of_the_caller_or_of_columns(tmp_path: Path) -> None:
    roles = mm = pd.DataFrame({"y": [1.0]})
    data = small().assign(roles=1.0)
    fit = ms.lmer(FORMULAS["roles"], data)
    assert fit.criterion == pytest.approx(fitted("roles").criterion, rel=1e-13)
    fit.save(tmp_path / "fit.ms")
    assert roles is mm


def test_a_relationship_that_the_residual_shares_is_not_identified() -> None:
    data = small().iloc[:20].assign(animal=range(20))
    equal = pd.DataFrame(np.eye(20) + 0.3, index=range(20), columns=range(20))  # an intercept takes the common part
    with pytest.warns(ms.NotIdentifiedWarning, match="rel\\(animal\\)"):
        fit = ms.lmer("y ~ x + (1 | rel(animal))", data, relations={"animal": equal})
    assert fit.certificate.verdict == "not identified"
    assert animals().certificate.verdict == "converged"


def test_circles_and_doubles_of_a_pedigree_are_named() -> None:
    with pytest.raises(DataError, match="'a' from 'c', 'c' from 'b', 'b' from 'a'"):
        ms.Pedigree({"animal": ["a", "b", "c"], "sire": ["c", "a", "b"], "dam": [None] * 3})
    with pytest.raises(DataError, match="several rows of 'a'"):
        ms.Pedigree({"animal": ["a", "a"], "sire": ["x", "y"], "dam": ["", ""]})


def test_inbreeding_is_that_of_the_tabular_method() -> None:
    rng = np.random.default_rng(4)
    sire = np.array([rng.integers(-1, i) if i else -1 for i in range(40)])
    dam = np.array([rng.integers(-1, i) if i else -1 for i in range(40)])
    A = np.zeros((40, 40))
    for i in range(40):
        parents = [p for p in (sire[i], dam[i]) if p >= 0]
        A[i, :i] = A[:i, i] = 0.5 * sum((A[p, :i] for p in parents), np.zeros(i))
        A[i, i] = 1.0 + (0.5 * A[sire[i], dam[i]] if len(parents) == 2 else 0.0)
    order = rng.permutation(40)
    frame = pd.DataFrame({"id": order + 1, "father": sire[order] + 1, "mother": dam[order] + 1})
    pedigree = ms.Pedigree(frame)
    at = pedigree.levels - 1
    np.testing.assert_allclose(pedigree.inbreeding, np.diagonal(A)[at] - 1.0, atol=1e-14)
    known = pedigree.relationship()
    np.testing.assert_allclose(known.times(np.eye(40)), A[np.ix_(at, at)], atol=1e-12)
    np.testing.assert_allclose(known.precision.toarray() @ A[np.ix_(at, at)], np.eye(40), atol=1e-12)
    assert known.log_det == pytest.approx(-np.linalg.slogdet(A)[1], rel=1e-12)


def test_twins_are_named_and_share_one_effect_or_are_made_distinct() -> None:
    data, K = small(), pd.DataFrame(np.eye(12) + 0.2, index=range(9, 21), columns=range(9, 21))
    K.loc[10], K[10] = K.loc[9], K[9]
    K.loc[10, 10] = K.loc[9, 9]
    with pytest.raises(DataError, match="'9' and '10' have the same relationships, as identical twins have"):
        ms.lmer(FORMULAS["relationship"], data, relations={"animal": K})
    one = ms.lmer(
        FORMULAS["relationship"],
        data.assign(animal=data["animal"].replace(10, 9)),
        relations={"animal": K.drop(index=10, columns=10)},
    )
    other = ms.lmer(FORMULAS["relationship"], data, relations={"animal": ms.nearest(K)})
    assert other.criterion == pytest.approx(one.criterion, abs=1e-4)
    assert other.bse.to_numpy() == pytest.approx(one.bse.to_numpy(), rel=1e-4)


def test_generalized_models_say_that_relationships_are_for_linear_ones() -> None:
    with pytest.raises(ms.ArgumentError, match=r"linear models: write mixedsparse\.lmer\(relations="):
        ms.glmer("y ~ x + (1 | animal)", small(), relations={"animal": family()})


@pytest.mark.slow
def test_refits_without_an_animal_end_at_an_optimum_on_the_boundary() -> None:
    # Secants of short steps along a variance of 0 showed a negative curvature that is not there.
    rng = np.random.default_rng(1)
    parents = [[None if i < 20 else f"a{rng.integers(0, i)}" for i in range(120)] for _ in range(2)]
    pedigree = ms.Pedigree({"animal": [f"a{i}" for i in range(120)], "sire": parents[0], "dam": parents[1]})
    at, x, _ = rng.integers(15, 120, 300), rng.normal(size=300), rng.random(300)
    effects = rng.normal(size=120)
    data = pd.DataFrame({"animal": [f"a{i}" for i in at], "x": x, "y": 1.0 + x + effects[at] + rng.normal(size=300)})
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("y ~ x + (1 | rel(animal)) + (1 | animal)", data, relations={"animal": pedigree})
    assert not len(fit.influence("animal").failures)

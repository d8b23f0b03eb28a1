"""Second optima: further starts after a doubtful end, how many agree, and what they cost where there is no doubt."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from benchmarks.fuzz.designs import random_model
from mixedsparse.core.fitting.restarts import doubtful
from mixedsparse.core.fitting.starts import even_starts, starts_of_light_rows, without_or_scaled

# Made-up data with two optima each. Values of lme4 1.1-31, the best of three optimisers from theta = 0.1, 1 and 10;
# bobyqa and nloptwrap end at the other optimum from some of these.
TWELVE = """g,x,f,y,w
b,3.782e-05,3,.4938,.3176\na,-.002737,1,.0719,.4797\nb,-1.82e-05,3,.7555,1.475\na,-.002793,1,-.3837,2.105
c,-.0004373,1,-1.899,.0407\nc,.0002708,1,.2696,.4308\nc,.0001394,3,.4205,1.223\nc,.001296,3,.532,.1901
b,.001582,2,1.05,1.748\nb,-.001624,2,-.6049,.536\na,.0007621,0,.3404,.2062\na,.002411,0,1.283,.2298"""
NINETEEN = """g,h,j,x,f,y,w
1,5,4,-.01436,1,56.84,.7624\n2,3,1,.002767,0,39.95,.721\n1,3,4,.01992,0,70.93,1.09\n2,0,0,.009876,0,-108.4,.9414
2,4,0,.006789,1,-82.57,1.461\n1,5,4,.006809,0,132.4,.7963\n0,6,0,.004984,1,-90.31,1.105\n3,4,0,-.01408,1,-80.66,.7276
1,3,0,-.007371,0,120.8,1.032\n3,2,0,.01145,0,-54.68,.875\n2,1,4,-.006663,0,-122.5,1.667\n0,0,2,-.02747,1,-141.6,1.828
3,0,4,-.01609,1,-131.8,1.63\n0,2,0,-.01378,1,-80.96,1.461\n0,1,4,-.01756,0,-91.28,1.815\n0,1,1,.01024,1,116.5,1.632
2,2,4,-.022,1,-32.94,1.741\n3,6,4,-.02043,0,-111.7,1.192\n1,4,4,-.002422,1,34.46,.8886"""


def read(text: str) -> pd.DataFrame:
    factors = {name: str for name in "ghjf"}
    return pd.read_csv(io.StringIO(text.replace("\\n", "\n")), dtype=factors)


CASES = [
    ("y ~ x + f + (1 | g)", TWELVE, False, 8.738957, 8.728897),
    ("y ~ x + f + (1 | g) + (f | h) + (1 | j)", NINETEEN, True, 180.704400, 179.547896),
]


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")
@pytest.mark.parametrize(("formula", "text", "reml", "other", "best"), CASES)
def test_lower_of_two_optima(formula, text, reml, other, best):
    model = ms.LinearMixedModel(formula, read(text), weights="w")
    alone = model.fit(reml, options=ms.FitOptions(restart_budget=0))
    assert alone.criterion == pytest.approx(other, abs=2e-6)  # an optimum too, and what one start finds
    assert (alone.certificate.starts, alone.certificate.agreed) == (1, 1)
    fit = model.fit(reml)
    assert fit.criterion == pytest.approx(best, abs=1e-5)
    assert fit.criterion == pytest.approx(model.objective(fit.theta, reml), abs=1e-8)
    assert 1 <= fit.certificate.agreed < fit.certificate.starts
    # The same every time.
    assert model.fit(reml).theta.tolist() == fit.theta.tolist()
    # A start that is given is kept to.
    assert model.fit(reml, start=alone.theta).criterion == pytest.approx(other, abs=2e-6)


@pytest.mark.parametrize("reml", [True, False])
def test_singular_fit_is_confirmed(reml):
    model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    with pytest.warns(ms.SingularFitWarning):
        fit = model.fit(reml)
    assert fit.certificate.starts == fit.certificate.agreed > 5


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
        ("Yield ~ 1 + (1 | Batch)", "Dyestuff"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
        ("strength ~ 1 + (1 | batch / cask)", "Pastes"),
        ("score ~ Machine + (Machine | Worker)", "Machines"),
    ],
)
def test_usual_fits_are_searched_once(formula, name):
    fit = ms.lmer(formula, ms.datasets.load(name))
    assert (fit.certificate.starts, fit.certificate.agreed) == (1, 1)
    assert not doubtful(fit.model.engine(), True, fit.fit.search)


def test_dear_models_are_searched_once():
    # Singular, but an evaluation costs more than the budget pays for.
    rng = np.random.default_rng(1)
    s, i = rng.integers(0, 300, 3000), rng.integers(0, 200, 3000)
    data = pd.DataFrame({"y": rng.normal(size=3000), "s": s, "i": i}).astype({"s": str, "i": str})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.SingularFitWarning)
        fit = ms.lmer("y ~ 1 + (1 | s) + (1 | i)", data)
    assert fit.singular
    assert fit.certificate.starts == 1


# Random models of the seed of `make fuzz` that had ended at a higher optimum. Values: lme4 1.1-31, the best of three
# optimisers, but for 144 and 206, where these end at -1179.911509, -1205.428076 and 114.552924: there the best of 20
# random starts.
HIGHER = [
    (39, False, 1003.654697),  # 358 effects beside 173 rows of weights over twelve decades: a search is dear
    (46, False, 327.899005),  # well inside, of weights over twelve decades
    (46, True, 335.028821),
    (85, True, 77.905537),
    # Nearly perfect: one term small, the others large beside the residual.
    (144, True, -1573.597643),
    pytest.param(144, False, -1613.576976, marks=pytest.mark.slow),
    pytest.param(192, False, 870.361029, marks=pytest.mark.slow),
    (206, False, 114.098126),
]


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(("number", "reml", "best"), HIGHER)
@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_lowest_optimum_of_random_models(number, reml, best, backend):
    drawn = random_model(2026, number)
    model = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments)
    fit = model.fit(reml, options=ms.FitOptions(backend=backend))
    assert fit.criterion == pytest.approx(best, abs=1e-4)
    assert fit.converged
    assert fit.certificate.starts > 1


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(("reml", "best"), [(True, 2525.845995), (False, 2558.397270)])
def test_slope_far_from_zero_without_an_intercept_is_tried_at_large_deviations(reml, best):
    # x1 varies by a ten-thousandth of its mean. 32 starts had agreed on 2545.285 by REML; lme4 1.1-31: 2525.845995 by
    # Nelder_Mead, 2677.4 and 2710.9 by the others. By ML the best of 8 random starts.
    drawn = random_model(13, 13)
    fit = ms.LinearMixedModel(drawn.formula, drawn.data).fit(reml)
    assert fit.criterion == pytest.approx(best, abs=1e-4)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_boundary_by_average_information_is_reached_in_few_steps():
    # Every step crosses the boundary and is turned back; nothing was learnt of the curvature, and 500 steps fell short.
    drawn = random_model(2026, 192)
    model = ms.LinearMixedModel(drawn.formula, drawn.data)
    fit = model.fit(False, options=ms.FitOptions(backend="cholmod", restart_budget=0))
    assert fit.certificate.hessian == "average information"
    assert fit.criterion == pytest.approx(870.361029, abs=1e-6)
    assert fit.fit.search.nfev < 80


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_limit_beside_an_optimum_is_found_where_effects_outnumber_rows():
    # 32 rows, 82 effects: 47 starts had found nothing below 245.371400, but without residual variance it is 245.345059.
    drawn = random_model(90210, 35)
    model = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments)
    fit = model.fit(False)
    assert fit.certificate.unbounded
    assert model.fit(False, start=1e4 * fit.theta).criterion < fit.criterion - 0.02


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(
    ("number", "reml", "best"),
    [
        (295, False, 142.442310),  # hardly more rows than effects, and the first end well inside: 142.782
        pytest.param(300, True, 240.356841, marks=pytest.mark.slow),  # 447 effects beside 151 rows: 241.889
    ],
)
def test_lowest_optimum_of_designs_that_hardly_say_anything(number, reml, best):
    drawn = random_model(90210, number)
    fit = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments).fit(reml)
    assert fit.criterion == pytest.approx(best, abs=1e-4)
    assert fit.certificate.starts > 1


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(
    ("number", "reml", "best"),
    [
        (365, True, 960.345279),  # an intercept apart from a slope far from 0 makes up for its mean: 969.661
        (536, False, 271.095810),  # without an intercept, effects of h take up the mean of the response: 300.628
    ],
)
def test_terms_that_take_up_a_mean_are_tried_at_its_size(number, reml, best):
    drawn = random_model(90210, number)
    fit = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments).fit(reml)
    assert fit.criterion == pytest.approx(best, abs=1e-4)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize(
    ("seed", "number", "reml", "best"),
    [
        (90210, 396, False, 907.133087),  # one direction fewer of g and h: 13 starts had agreed on 907.153220
        (90210, 871, False, -468.695812),  # h ten times as large beside g: -468.372070
        (90210, 393, False, 46.808944),  # ten rows, one of which has nearly all weight: 19 starts agreed on 47.007569
        (777, 653, True, 14.187937),  # weights over twelve decades, hardly any residual: 16.430288
        # Three optima, found one from another: 1013.694225, 1013.622435, and the lowest.
        pytest.param(90210, 713, False, 1013.616811, marks=pytest.mark.slow),
    ],
)
def test_optima_beside_an_end_are_looked_for_from_copies_of_it(seed, number, reml, best):
    # The best of 20 random starts.
    drawn = random_model(seed, number)
    fit = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments).fit(reml)
    assert fit.criterion == pytest.approx(best, abs=1e-4)
    assert fit.certificate.agreed > 1


def test_copies_without_the_weakest_direction_keep_the_others():
    drawn = random_model(90210, 396)
    layout = (problem := ms.LinearMixedModel(drawn.formula, drawn.data).problem).layout
    theta = layout.positive(np.random.default_rng(4).normal(size=problem.n_theta))
    lams = layout.lams(theta)
    copies = without_or_scaled(problem, theta)
    assert len(copies) == 3 * len(lams)
    for b, copy in enumerate(copies[: len(lams)]):
        for other, (before, after) in enumerate(zip(lams, layout.lams(copy), strict=True)):
            values, vectors = np.linalg.eigh(before @ before.T)
            if other == b:
                values[0] = 0.0
            np.testing.assert_allclose(after @ after.T, (vectors * values) @ vectors.T, atol=1e-12)


def test_effects_are_tried_at_sizes_that_light_rows_see_only_where_rows_are_light():
    drawn = random_model(90210, 393)
    weighted = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments).problem
    root = np.sqrt(drawn.data["w"])
    ratio = root.max() / root.median()
    found = starts_of_light_rows(weighted, np.random.default_rng(1))
    assert len(found) == 4 * 3
    sizes = np.array([np.linalg.norm(weighted.layout.lams(start)[0], axis=1) for start in found[:3]])
    np.testing.assert_allclose(sizes, np.where(np.eye(3, dtype=bool), ratio, 1.0), rtol=1e-12)
    plain = ms.LinearMixedModel(drawn.formula, drawn.data).problem
    assert starts_of_light_rows(plain, np.random.default_rng(1)) == []


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_average_information_that_leads_astray_is_mended_by_differences():
    # 501 evaluations had ended at 161.416, beside 160.729513 by exact Hessians.
    drawn = random_model(90210, 269)
    model = ms.LinearMixedModel(drawn.formula, drawn.data, **drawn.arguments)
    fit = model.fit(False, options=ms.FitOptions(backend="cholmod", restart_budget=0))
    assert fit.certificate.hessian == "average information"
    assert fit.converged
    assert fit.criterion == pytest.approx(160.729513, abs=1e-6)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_search_that_lost_digits_hold_up_goes_on_with_more():
    # An SD 10^8 times that of the residuals: 503 evaluations had stopped early at -837.184, 29 with more digits do.
    drawn = random_model(90210, 932)
    for order in (np.arange(len(drawn.data)), np.random.default_rng(1).permutation(len(drawn.data))):
        fit = ms.lmer(drawn.formula, drawn.data.iloc[order], options=ms.FitOptions(restart_budget=0))
        assert fit.converged
        assert fit.criterion == pytest.approx(-837.206550, abs=1e-5)
        assert fit.fit.search.nfev < 200


def test_even_starts_have_each_term_small_beside_large_ones_and_the_other_way_round():
    drawn = random_model(2026, 144)
    problem = ms.LinearMixedModel(drawn.formula, drawn.data).problem
    sizes = {
        tuple(float(np.round(lam.diagonal()[0], 9)) for lam in problem.layout.lams(theta))
        for theta in even_starts(problem, float(problem.xy[-1, -1]))
    }
    for large, small in ((3.0, 0.1), (30.0, 0.3), (300.0, 3.0)):
        for t in range(4):
            assert tuple(large if i == t else small for i in range(4)) in sizes
            assert tuple(small if i == t else large for i in range(4)) in sizes


@pytest.mark.parametrize("budget", [-1, "much", float("inf"), True])
def test_budget_that_is_none(budget):
    with pytest.raises(ms.OptionError, match="restart_budget"):
        ms.FitOptions(restart_budget=budget)


@pytest.mark.slow
def test_a_single_variance_is_scanned_for_lower_ends():
    rng = np.random.default_rng(3)
    worse = 0
    for _ in range(60):
        levels, n = int(rng.integers(2, 6)), int(rng.integers(8, 40))
        g = np.concatenate([np.arange(levels), rng.integers(0, levels, n - levels)])
        x, y = rng.normal(size=n) + g * rng.normal(), rng.normal(size=n) + rng.normal(size=levels)[g]
        model = ms.LinearMixedModel("y ~ x + (1 | g)", {"y": y, "x": x, "g": g})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.MixedSparseWarning)
            fits = {reml: model.fit(reml) for reml in (True, False)}
        for reml, fit in fits.items():
            grid = [model.objective([theta], reml) for theta in (0.0, *10.0 ** np.linspace(-3, 3, 60))]
            worse += fit.criterion > min(grid) + 1e-6
    assert worse == 0

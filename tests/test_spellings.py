"""Names that users of R and statsmodels try, and arguments of theirs: the answer says what to write here."""

from __future__ import annotations

import copy
import pickle
import re
from operator import attrgetter

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.numpy_names import _KNOWN

SLEEP = ms.datasets.load("sleepstudy")
FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def fit():
    return ms.lmer(FORMULA, SLEEP)


@pytest.fixture(scope="module")
def means():
    return ms.lmer("score ~ Machine + (1 | Worker)", ms.datasets.load("Machines")).emmeans("Machine")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ranef", "write random_effects"),
        ("VarCorr", r"write varcorr\(\)"),
        ("coefs", r"write params, coef_table\(\), or coef\(\) for those of each level"),
        ("confint", "write conf_int"),
        ("get_prediction", r"write predict\(newdata, interval="),
        ("isSingular", "write singular"),
        ("is_singular", "singular"),
        ("logLik", "write llf"),
        ("getME", r"write get\(name\)"),
        ("vcov", r"write cov_params\(\)"),
        ("lsmeans", r"write emmeans\(\)"),
        ("f_test", r"write wald_test\(L\)"),
        ("summry", "Did you mean 'summary'"),
    ],
)
def test_attributes_of_other_packages_are_answered_and_still_absent(fit, name, wanted):
    assert not hasattr(fit, name)
    assert getattr(fit, name, 7) == 7
    with pytest.raises(ms.AbsentError, match=f"MixedResults has no '{name}'.*{wanted}") as caught:
        getattr(fit, name)
    assert isinstance(caught.value, AttributeError)


@pytest.mark.parametrize("name", ["ranef", "VarCorr", "coef", "confint", "fixef", "emmeans", "isSingular"])
def test_functions_of_r_are_answered_by_the_package_too(name):
    assert not hasattr(ms, name)
    with pytest.raises(ms.AbsentError, match=f"mixedsparse has no '{name}': write (fit|mixedsparse)"):
        getattr(ms, name)


def test_every_answer_for_a_fit_names_what_is_there(fit):
    from mixedsparse.ground.spellings import _METHODS, _OF_FITS, _PARTS

    for name in _METHODS:
        assert callable(getattr(fit, name))
    for name, text in _OF_FITS.items():
        target = re.split(r"[(, ]", text.replace("then mixedsparse.", ""))[0]
        place = ms if text.startswith("then") else fit
        assert attrgetter(target)(place) is not None, name
    for name, part in _PARTS.items():
        assert fit.get(part) is not None, name


@pytest.fixture(scope="module")
def counted():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))


# What users of lme4, emmeans and statsmodels try first: each is there, or the answer says what is.
_TRIED = """
fixef ranef VarCorr confint isSingular logLik deviance sigma ngrps nobs getME model.matrix model_matrix terms
formula update refit refitML drop1 add1 anova Anova emmeans pairs cld contrast lsmeans coef vcov fitted residuals
predict simulate summary family weights df.residual AIC BIC REMLcrit profile bootMer plot effects augment
get_prediction bse tvalues pvalues conf_int params random_effects cov_re fittedvalues resid llf aic bic fe_params
bse_fe bse_re scale t_test wald_test f_test endog exog score hessian loglike X Z Zt Lambda beta theta b u isREML
devfun rand step allFit check_model performance r2_nakagawa groups n_groups slopes fixed_effects get_influence
remove_data use_t
"""
TRIED = _TRIED.split()


@pytest.mark.parametrize("name", TRIED)
def test_names_tried_first_are_there_or_answered(fit, counted, name):
    for results in (fit, counted):
        if hasattr(results, name):
            continue
        with pytest.raises(ms.AbsentError) as caught:
            getattr(results, name)
        message = str(caught.value)
        assert "it has aic" not in message, "an answer, not a list"
        assert "Did you mean" not in message, "an answer, not a guess"


def test_matrices_have_their_names_in_get(fit, counted):
    for results in (fit, counted):
        with pytest.raises(ms.AbsentError, match=r"write get\('Lam'\)"):
            results.Lambda  # noqa: B018
        with pytest.raises(ms.AbsentError, match="write aic"):
            results.AIC  # noqa: B018
    with pytest.raises(ms.AbsentError, match="no error contrasts"):
        counted.refitML  # noqa: B018


@pytest.mark.parametrize(
    ("argument", "wanted"), [("re_form", "random='conditional'"), ("allow_new_levels", "new_levels='zero'")]
)
def test_arguments_of_predict_are_answered_for_generalized_fits_too(counted, argument, wanted):
    with pytest.raises(ms.ArgumentError, match=wanted):
        counted.predict(**{argument: None})


def test_other_objects_answer_as_well(fit, means):
    with pytest.raises(ms.AbsentError, match=r"has not been fitted: write model\.fit"):
        fit.model.params  # noqa: B018
    with pytest.raises(ms.AbsentError, match=r"MarginalMeans has no 'pairs': write .contrast\('pairwise'\)"):
        means.pairs  # noqa: B018
    with pytest.raises(ms.AbsentError, match=r"Contrasts has no 'pairs': write .contrast\('pairwise'\)"):
        means.contrast().pairs  # noqa: B018
    with pytest.raises(ms.AbsentError, match=r"Plots has no 'ranef': it has .*caterpillar"):
        fit.plot.ranef  # noqa: B018


def test_hidden_attributes_and_copies_are_left_alone(fit):
    assert not hasattr(fit, "_repr_latex_")
    assert copy.copy(fit).criterion == fit.criterion
    assert pickle.loads(pickle.dumps(fit)).criterion == fit.criterion
    assert copy.deepcopy(fit.bootstrap(2, seed=1)).nsim == 2


def test_the_error_of_a_property_is_its_own(monkeypatch, fit):
    monkeypatch.setattr(type(fit), "llf", property(lambda self: self.model.nothing_of_the_kind))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        fit.llf  # noqa: B018


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda fit: fit.predict(re_form=None), "predict has no argument 're_form': write random='conditional'"),
        (lambda fit: fit.predict(allow_new_levels=True), "write new_levels='zero'"),
        (lambda fit: fit.predict(se_fit=True), "write interval="),
        (lambda fit: fit.simulate(use_u=True), "write random='conditional'"),
        (lambda fit: fit.predict(type="response"), "predict has no argument 'type': estimates are on the scale"),
        (lambda fit: fit.conf_int(level=0.9), "conf_int has no argument 'level': write alpha=, one less the level"),
        (lambda fit: fit.conf_int(parm="Days"), "write which="),
        (lambda fit: fit.summary(dff="normal"), "Did you mean 'ddf'"),
        (lambda fit: fit.coef_table(1, 2, 3), "coef_table takes 1 arguments without a name, not 3"),
    ],
)
def test_arguments_of_other_packages_are_answered(fit, call, wanted):
    with pytest.raises(ms.ArgumentError, match=wanted):
        call(fit)


def test_arguments_of_contrasts_are_answered(means):
    with pytest.raises(ms.ArgumentError, match=r"contrast has no argument 'combine': write by=\(\)"):
        means.contrast(combine=True)


@pytest.mark.parametrize(
    ("argument", "value", "wanted"),
    [
        ("level", "0.9", "level='0.9' must be a number between 0 and 1, not of type str"),
        ("ddf", None, "ddf=None must be text, not of type NoneType"),
        ("by", {"Days": 1}, "by=.* must be a name, or several names in a list, not of type dict"),
        ("at", [3], r"at=\[3\] must be a dict, not of type list"),
    ],
)
def test_wrong_types_are_said_with_what_is_taken(fit, argument, value, wanted):
    with pytest.raises(ms.ArgumentError, match=wanted) as caught:
        fit.emmeans("Days", **{argument: value})
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ms.OptionError)


def test_text_is_no_truth_value():
    # bool("ML") is true: a fit by REML was the answer.
    with pytest.raises(ms.ArgumentError, match="reml='ML' must be True or False"):
        ms.LinearMixedModel(FORMULA, SLEEP).fit(reml="ML")
    with pytest.raises(ms.ArgumentError, match="reml='ML' must be True or False"):
        ms.lmer(FORMULA, SLEEP, reml="ML")


def test_integers_may_name_columns():
    numbered = SLEEP[["Reaction", "Days", "Subject"]].set_axis([0, 1, 2], axis="columns")
    found = ms.lmer("`0` ~ `1` + (`1` | `2`)", numbered)
    assert found.criterion == ms.lmer(FORMULA, SLEEP).criterion
    assert list(found.params.index) == ["Intercept", "1"]
    assert found.anova().index.tolist() == ["`1`"]  # "1" alone is the intercept
    np.testing.assert_allclose(found.predict(numbered.iloc[:3]), found.fittedvalues.iloc[:3])
    both = numbered.assign(**{"1": 0.0})
    both["1"] = SLEEP["Days"] * 2.0  # text goes before the number
    assert ms.lmer("`0` ~ `1` + (1 | `2`)", both).params["1"] == pytest.approx(found.params["1"] / 2, rel=0.05)


@pytest.mark.parametrize("empty", [SLEEP.iloc[:0], SLEEP[["Days"]].iloc[:, :0], {}])
def test_empty_data_are_an_error_of_data(empty):
    with pytest.raises(ms.DataError, match=r"no rows|no column"):
        ms.lmer(FORMULA, empty)


@pytest.mark.parametrize(
    "code",
    [
        "np.load('x.npy')",
        "np.fromfile('x')",
        "np.save('x', Days)",
        "np.memmap('x')",
        "np.ctypeslib.load_library('x', '.')",
        "np.lib.format.open_memmap('x')",
        "np.random.normal(size=180)",
        "np.vectorize(print)(Days)",
        "np.log.__class__(Days)",
        "Days.__class__(Days)",
        "__builtins__['eval']('1')",
        "[np][0].load('x')",
        "N.load('x')",
    ],
)
def test_a_formula_reaches_functions_of_arrays_only(code):
    N = np
    assert N is np
    with pytest.raises(ms.FormulaError, match=r"is no function of arrays|is hidden"):
        ms.lmer(f"Reaction ~ I({code}) + (1 | Subject)", SLEEP)


def test_functions_of_arrays_are_there():
    N = np
    assert N is np
    want = ms.lmer("Reaction ~ log(Days + 1) + (1 | Subject)", SLEEP).criterion
    for code in ("np.log(Days + 1)", "N.log1p(Days)", "np.log(np.maximum(Days, 0) + np.float64(1))"):
        assert ms.lmer(f"Reaction ~ {code} + (1 | Subject)", SLEEP).criterion == pytest.approx(want)
    ms.lmer("Reaction ~ np.where(Days > np.median(Days), np.pi, 0) + (1 | Subject)", SLEEP)
    ms.lmer("Reaction ~ I(np.maximum.accumulate(Days)) + (1 | Subject)", SLEEP.iloc[:40])
    assert {"log", "load"}.isdisjoint(_KNOWN)  # ufuncs are known by NumPy itself


def test_a_column_may_have_the_name_of_a_module():
    renamed = SLEEP.rename(columns={"Days": "np"})
    assert ms.lmer("Reaction ~ np + (1 | Subject)", renamed).criterion == pytest.approx(
        ms.lmer("Reaction ~ Days + (1 | Subject)", SLEEP).criterion
    )

"""Lines, tables and paragraphs for papers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.report.apa import apa_p
from mixedsparse.report.markdown import markdown_table
from mixedsparse.report.table import Table


@pytest.fixture(scope="module")
def data():
    return ms.datasets.load("sleepstudy")


@pytest.fixture(scope="module")
def fit(data):
    return ms.lmer("Reaction ~ Days + (Days | Subject)", data)


@pytest.fixture(scope="module")
def accuracy():
    return ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))


def test_small_p_values_are_bounds():
    assert [apa_p(p) for p in (0.0274, 0.0009, 0.001, 0.5, 0.99999, 1.0, np.nan)] == [
        "p = .027",
        "p < .001",
        "p = .001",
        "p = .500",
        "p > .999",
        "p > .999",
        "p undefined",
    ]


def test_lines_of_tests(fit, data):
    assert ms.apa(fit, "Days") == "b = 10.47, SE = 1.55, t(17) = 6.77, p < .001, 95% CI [7.21, 13.73]"
    assert ms.apa(fit, "Days", ddf="normal").startswith("b = 10.47, SE = 1.55, z = 6.77, p < .001, 95% CI [7.44")
    assert ms.apa(fit.anova(), "Days") == "F(1, 17) = 45.85, p < .001"
    smaller = ms.lmer("Reaction ~ Days + (1 | Subject)", data)
    table = ms.anova(smaller, fit, refit=False)
    assert ms.apa(table).tolist() == ["χ²(2) = 42.84, p < .001"]
    assert ms.apa(fit.ranova()).tolist() == ["χ²(2) = 42.84, p < .001"]
    assert ms.apa(fit.t_test([0, 1])).iloc[0].startswith("b = 10.47, SE = 1.55, t(17) = 6.77")


def test_lines_of_contrasts_and_means():
    fit = ms.lmer("score ~ Machine + (1 | Worker)", ms.datasets.load("Machines"))
    means = fit.emmeans("Machine", level=0.9)
    contrasts = means.contrast(adjust="holm")
    row = contrasts.table.iloc[1]
    assert ms.apa(contrasts, "A - C") == (
        f"b = {row['estimate']:.2f}, SE = {row['SE']:.2f}, t({row['df']:.0f}) = {row['t']:.2f}, p < .001, "
        f"90% CI [{row['lower']:.2f}, {row['upper']:.2f}]"
    )
    assert ms.apa(means, "A").startswith("M = 52.36, SE = 2.23, 90% CI [")
    assert ms.apa(fit.joint_tests()).index.tolist() == ["Machine"]


def test_lines_of_generalized_fits(accuracy):
    assert ms.apa(accuracy, "period[T.2]") == "b = -0.99, SE = 0.31, z = -3.24, p = .001, 95% CI [-1.59, -0.39]"
    contrasts = accuracy.emmeans("period", type="response").contrast("trt.vs.ctrl")
    assert ms.apa(contrasts, "period2 / period1").startswith("OR = 0.37, SE = 0.11, z = -3.2")


def test_lines_of_ratios_have_their_own_limits(accuracy):
    # glmmTMB: b = -0.9923, SE = 0.3066; exp(b -+ 1.96 SE) = 0.371 [0.203, 0.676].
    line = "OR = 0.37, 95% CI [0.20, 0.68], z = -3.24, p = .001"
    table = accuracy.coef_table(exp=True)
    assert ms.apa(table, "period[T.2]") == line
    assert ms.apa(accuracy.journal(exp=True).table, "period[T.2]") == line
    rates = table.rename(columns={"odds ratio": "rate ratio"})
    assert ms.apa(rates, "period[T.2]") == line.replace("OR", "rate ratio")
    assert ms.apa(table.drop(columns=["lower", "upper"]), "period[T.2]") == "OR = 0.37, z = -3.24, p = .001"


def test_lines_of_chi_squared_tests_tell_wald_from_likelihood_ratio(accuracy):
    table = accuracy.anova()
    line = f"χ²(3) = {table['Chisq'].iloc[0]:.2f}, p < .001"
    assert ms.apa(table, "period") == f"Wald {line}"
    assert ms.apa(accuracy.joint_tests(), "period") == f"Wald {line}"
    assert ms.apa(accuracy.drop1(), "period") == "χ²(3) = 25.61, p < .001"
    assert ms.apa(ms.anova(accuracy.update("~ . - period"), accuracy)).tolist() == ["χ²(3) = 25.61, p < .001"]


@pytest.mark.parametrize("effects", ["fixed", "ran_pars"])
def test_tidy_tables_have_no_lines(accuracy, effects):
    with pytest.raises(ms.OptionError, match=r"does not say whether its estimates are .* coef_table\(exp=True\)"):
        ms.apa(accuracy.tidy(effects))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda fit: (pd.DataFrame({"x": [1.0]}),), ms.OptionError, "neither estimates nor tests"),
        (lambda fit: (fit, "days"), ms.OptionError, "row='days': there is no such row, but 'Intercept', 'Days'"),
        (lambda fit: ("Days",), TypeError, "must be a fit, contrasts or a table"),
    ],
)
def test_what_has_no_line_is_refused(fit, arguments, error, message):
    with pytest.raises(error, match=message):
        ms.apa(*arguments(fit))


def test_one_model_has_columns_of_deviations(fit):
    made = ms.model_table(fit, labels={"Days": "Days awake", "Subject": "participants"})
    assert made.table.columns.tolist() == ["Estimate", "SE", "95% CI", "t", "p", "SD participants"]
    assert made.table.loc["Days awake"].tolist() == ["10.467", "1.546", "[7.206, 13.729]", "6.77", "< .001", "5.92"]
    facts = made.table["Estimate"]
    shares = float(fit.icc()["adjusted"]), float(fit.r2()["marginal"])
    assert facts["N participants"] == "18"
    assert facts["Observations"] == "180"
    assert (float(facts["ICC"]), float(facts["Marginal R²"])) == pytest.approx(shares, abs=5.1e-4)
    assert facts["SD residual"] == "25.6"
    assert facts["REML criterion"] == "1743.63"


def test_interactions_go_by_the_labels_of_their_parts(data):
    late = data.assign(late=np.where(data["Days"] > 4, "yes", "no"))
    fit = ms.lmer("Reaction ~ Days * late + (1 | Subject)", late)
    made = ms.model_table(fit, labels={"late[T.yes]": "Late", "Days": "Day"})
    assert made.table.index.tolist()[:4] == ["Intercept", "Day", "Late", "Day × Late"]
    own = ms.model_table(fit, labels={"Days:late[T.yes]": "Day and late"})
    assert own.table.index.tolist()[1:4] == ["Days", "late[T.yes]", "Day and late"]


def test_several_models_stand_side_by_side(fit, data):
    other = ms.lmer("Reaction ~ 1 + (1 | Subject)", data, reml=False)
    made = ms.model_table({"slopes": fit, "none": other}, level=0.9)
    assert made.table.columns.tolist()[:4] == ["slopes Estimate", "slopes 90% CI", "slopes p", "none Estimate"]
    assert made.table.loc["Days"].tolist()[3:] == ["", "", ""]
    assert made.table.loc["SD Subject: Days"].tolist()[0] == "5.92"
    assert made.table.loc["-2 log L", "none Estimate"] == f"{other.criterion:.2f}"
    assert made.notes[:2] == ("slopes: Reaction ~ Days + (Days | Subject).", "none: Reaction ~ 1 + (1 | Subject).")


def test_models_without_one_residual_variance_have_no_shares_of_it():
    fit = ms.lmer("distance ~ age * Sex", ms.datasets.load("Orthodont"), residual="us(age | Subject)")
    made = ms.model_table(fit)
    assert made.table.loc["SD residual (8)", "Estimate"] == "2.33"
    assert not {"ICC", "Marginal R²"} & set(made.table.index)
    assert "Residuals: residual='us(age | Subject)'." in fit.report()


def test_generalized_models_have_normal_tests(accuracy):
    made = ms.model_table(accuracy)
    assert made.table.columns.tolist() == ["Estimate", "SE", "95% CI", "z", "p", "SD herd"]
    assert "SD residual" not in made.table.index
    assert any("scale of the linear predictor" in note for note in made.notes)


def test_forms_of_the_table(fit):
    made = ms.model_table(fit)
    assert "| Days | 10.467 | 1.546 | \\[7.206, 13.729\\] |" in made.to_markdown()
    assert r"Days & 10.467 & 1.546 & [7.206, 13.729]" in made.to_latex("Caption", "tab:x")
    assert "<td>[7.206, 13.729]</td>" in made.to_html()
    assert str(made).splitlines()[2].startswith("Days")
    assert markdown_table(Table.of("", ["a|b"], [["x_y"]])) == "| a\\|b |\n| :-- |\n| x\\_y |"


def test_word_documents_hold_the_table(fit, tmp_path):
    docx = pytest.importorskip("docx")
    made = ms.model_table(fit)
    made.to_word(tmp_path / "table.docx", "Table 1")
    document = docx.Document(tmp_path / "table.docx")
    rows = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert rows == [list(made.cells.header), *map(list, made.cells.rows)]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[0] == "Table 1"
    assert texts[-1].startswith("Note. Reaction ~ Days + (Days | Subject).")
    assert "w:tcBorders" in document.element.xml


def test_word_needs_its_package(fit, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "docx", None)
    with pytest.raises(ms.BackendError, match=r"pip install 'mixedsparse\[word\]'"):
        ms.model_table(fit).to_word(tmp_path / "table.docx")


def test_rows_of_different_models_stand_with_their_kind(fit, accuracy):
    rows = list(ms.model_table({"A": fit, "B": accuracy}).table.index)
    facts = rows[rows.index("SD Subject: Intercept") :]
    assert facts[:4] == ["SD Subject: Intercept", "SD Subject: Days", "SD herd: Intercept", "SD residual"]
    assert facts[4:7] == ["N Subject", "N herd", "Observations"]
    assert facts[-4:] == ["REML criterion", "-2 log L", "AIC", "BIC"]


def test_two_coefficients_under_one_label_are_refused(accuracy):
    labels = {"period[T.2]": "later", "period[T.3]": "later"}
    with pytest.raises(ms.OptionError, match="'later' would stand for several coefficients"):
        ms.model_table(accuracy, labels=labels)


def test_lines_are_shown_whole(accuracy):
    lines = ms.apa(accuracy)
    assert repr(lines).splitlines()[1].startswith("period[T.2]  b = -0.99, SE = 0.31, z = -3.24, p = .001, 95% CI [")
    assert "..." not in str(lines)
    assert repr(lines[lines.str.contains("p = .001")]).count("\n") == 0


def test_html_has_no_empty_heading(fit):
    assert "<h4></h4>" not in ms.model_table(fit).to_html()


def test_short_tables_tell_of_ordered_categories(data):
    ordered = data.assign(Days=pd.Categorical(data["Days"], ordered=True))
    fit = ms.lmer("Reaction ~ Days + (1 | Subject)", ordered)
    assert "write contrasts={'Days': 'poly'}" in repr(fit) + str(fit)
    assert "ordered" not in str(fit.update(contrasts={"Days": "poly"}))


def test_labels_of_nothing_are_refused(fit):
    with pytest.raises(ms.OptionError, match="there is no 'Day' in these models, which have Intercept, Days, Subject"):
        ms.model_table(fit, labels={"Day": "x"})
    with pytest.raises(ms.OptionError, match="There are no models"):
        ms.model_table([])


def test_the_paragraph_says_what_was_fitted_and_how(fit, accuracy, data):
    text = fit.report()
    assert text.startswith(
        "We fitted a linear mixed model by restricted maximum likelihood, to 180 observations from 18 levels of "
        "Subject: Reaction ~ Days + (Days | Subject). The random part has intercepts and effects of Days (correlated) "
        "by Subject. Coefficients were tested by t tests with Satterthwaite's degrees of freedom. The fit converged"
    )
    assert re.search(r"fitted with mixedsparse \d+\.\d+\.\d+ \(Python 3", text)
    assert "Kenward and Roger" in fit.report("kenward-roger")
    split = fit.update("~ . - (Days | Subject) + (Days || Subject)", reml=False).report()
    assert "by maximum likelihood" in split
    assert "(not all correlated)" in split
    with pytest.warns(ms.SingularFitWarning):
        singular = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))
    assert "The fit is singular: the variance of Intercept in Batch was estimated as zero" in singular.report()
    text = accuracy.report()
    assert "a generalized linear mixed model, binomial with logit link, by maximum likelihood, Laplace" in text
    assert "against the normal distribution" in text
    with pytest.raises(ms.OptionError, match="tests of a generalized fit are normal"):
        accuracy.report("kenward-roger")

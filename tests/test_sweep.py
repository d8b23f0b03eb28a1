"""Every argument of every public function with values that it cannot take: the answers are errors of the package."""

from __future__ import annotations

import datetime
import inspect
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

matplotlib.use("Agg")

FORMULA = "y ~ x + f + (1 | g)"
STUDY = {
    "formula": "rt ~ A + (1 | subject)",
    "effects": {"Intercept": 5.0, "A[T.a2]": 1.0},
    "random": {"subject": 1.0},
    "sigma": 1.0,
}
# Functions of the user's own: what they raise is theirs.
CALLED = {"statistic", "progress", "subset"}


def bad_values():
    return {
        "None": None,
        "zero": 0,
        "negative": -1,
        "fraction": 1.5,
        "nan": float("nan"),
        "inf": float("inf"),
        "huge": 10**30,
        "complex": 1j,
        "True": True,
        "empty text": "",
        "text": "nonsense",
        "bytes": b"y",
        "empty list": [],
        "numbers": [1],
        "texts": ["nonsense"],
        "Nones": [None],
        "empty tuple": (),
        "empty dict": {},
        "dict": {"nonsense": 1},
        "dict of None": {1: None},
        "set": {"a"},
        "object": object(),
        "function": lambda *_: 1 / 0,
        "class": dict,
        "iterator": iter([1, 2]),
        "date": datetime.date(2026, 1, 2),
        "empty array": np.array([]),
        "matrix": np.ones((2, 2)),
        "objects": np.array([None, "x"], dtype=object),
        "Series": pd.Series([1.0, 2.0], index=["p", "q"]),
        "empty frame": pd.DataFrame(),
        "frame": pd.DataFrame({"a": [1]}),
        "nothing in a list": [[]],
        "ragged": [[1, 2], [3]],
    }


def data():
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(8), 6)
    frame = pd.DataFrame({"x": rng.normal(size=48), "g": g, "f": np.tile(list("abc"), 16)})
    frame["y"] = frame["x"] + rng.normal(size=8)[g] + rng.normal(size=48)
    return frame


def two_models(first):
    """`anova` and `compare` with the fit `first` beside the other one, under names that can be swept."""

    def anova(models, refit=True, names=None):
        return ms.anova(first, models, refit=refit, names=names)

    def compare(models):
        return ms.compare(first, models)

    return {"anova": anova, "compare": compare}


def targets(folder):
    """Label -> function, and arguments with which it works."""
    frame = data()
    fit, smaller = (ms.lmer(formula, frame, reml=False) for formula in (FORMULA, "y ~ x + (1 | g)"))
    rows = ms.design(subjects=6, items=4, within={"A": ["a1", "a2"]})
    plan = ms.plan(rows, **STUDY)
    accuracy = ms.glmer("I(y > 0) ~ x + f + (1 | g)", frame)
    boot, means = fit.bootstrap(5, seed=1), fit.emmeans("f")
    fit.save(folder / "fit.ms")
    term = ms.RandomTerm("g", frame["g"].to_numpy(), np.ones(48))
    X = np.column_stack([np.ones(48), frame["x"]])
    y = frame["y"].to_numpy()
    functions = {
        **{n: getattr(ms, n) for n in ms.__all__ if inspect.isfunction(getattr(ms, n))},
        **two_models(smaller),
        **{
            name: getattr(ms, name)
            for name in (
                "LinearMixedModel",
                "GeneralizedLinearMixedModel",
                "RandomTerm",
                "FitOptions",
                "MixedLM",
                "Pedigree",
                "Precision",
            )
        },
        "LinearMixedModel.from_arrays": ms.LinearMixedModel.from_arrays,
        "datasets.load": ms.datasets.load,
        "datasets.describe": ms.datasets.describe,
    }
    objects = {
        "fit": fit,
        "model": fit.model,
        "profile": fit.profile(level=0.9),
        "boot": boot,
        "means": means,
        "contrasts": means.contrast(),
        "influence": fit.influence("g"),
        "scaled": fit.scaled_residuals(10, seed=1),
        "plan": plan,
        "plot": fit.plot,
        "accurateplot": accuracy.plot,
        "accuracy": accuracy,
        "accurate": accuracy.model,
    }
    for label, thing in objects.items():
        functions |= {
            f"{label}.{name}": method
            for name, method in inspect.getmembers(thing, inspect.ismethod)
            if not name.startswith("_") and name != "from_arrays" and (label, name) != ("accurate", "of_design")
        }
    arguments = {
        "lmer": {"formula": FORMULA, "data": frame},
        "glmer": {"formula": "I(y > 0) ~ x + f + (1 | g)", "data": frame},
        "GeneralizedLinearMixedModel": {"formula": "I(y > 0) ~ x + f + (1 | g)", "data": frame},
        "LinearMixedModel": {"formula": FORMULA, "data": frame},
        "model.of_design": {"design": fit.model.design},
        "accurate.objective": {"theta": accuracy.theta, "beta": accuracy.params},
        "accurate.gradient": {"theta": accuracy.theta, "beta": accuracy.params},
        "accurate.hessian": {"theta": accuracy.theta, "beta": accuracy.params},
        "accurate.of_family": {"design": accuracy.model.design, "family": accuracy.family},
        "accuracy.save": {"path": str(folder / "accuracy.ms")},
        "accuracy.get": {"name": "X"},
        "accuracy.refit": {"y": (y > 0).astype(int)},
        "accuracy.simulate": {"seed": 1},
        "accuracy.bootstrap": {"nsim": 2, "seed": 1},
        "accuracy.profile": {"level": 0.9, "which": "x"},
        "accuracy.scaled_residuals": {"nsim": 10, "seed": 1},
        "accuracy.t_test": {"L": [0, 1, 0, 0]},
        "accuracy.wald_test": {"L": [0, 1, 0, 0]},
        "accuracy.emmeans": {"specs": "f"},
        "accuracy.emtrends": {"specs": "f", "var": "x"},
        "fit.breeding_values": {"factor": "g"},
        "accuracy.breeding_values": {"factor": "g"},
        "accuracy.conditional_cov": {"group": "g", "levels": [1]},
        "LinearMixedModel.from_arrays": {"y": y, "X": X, "terms": [term]},
        "RandomTerm": {"group": "g", "codes": frame["g"].to_numpy(), "z": np.ones(48)},
        "Pedigree": {"frame": {"animal": ["a", "b"], "sire": ["", "a"], "dam": ["", ""]}},
        "hypotheses": {"about": {"b-a": "b - a"}},
        "Precision": {"P": np.eye(2), "levels": ["a", "b"]},
        "mixedlm": {"formula": "y ~ x", "data": frame, "groups": "g"},
        "MixedLM": {"endog": y, "exog": X, "groups": frame["g"].to_numpy()},
        "design": {"subjects": 6},
        "plan": {"design": rows, **STUDY},
        "power": {"design": rows, "nsim": 2, "seed": 1, **STUDY},
        "load": {"path": str(folder / "fit.ms")},
        "anova": {"models": fit},
        "apa": {"tests": fit},
        "model_table": {"models": fit},
        "pool": {"fits": [fit, fit]},
        "crossed_power": {"d": 0.5, "participants": 20, "stimuli": 20},
        "compare": {"models": fit},
        "parsimony": {"results": fit},
        "datasets.load": {"name": "sleepstudy"},
        "datasets.describe": {"name": "sleepstudy"},
        "fit.conditional_cov": {"group": "g", "levels": [1]},
        "fit.emmeans": {"specs": "f"},
        "model.fit_many": {"Y": y[:, None]},
        "fit.emtrends": {"specs": "f", "var": "x"},
        "fit.get": {"name": "X"},
        "fit.marginal_cov": {"rows": [0, 1]},
        "fit.refit": {"y": y},
        "fit.save": {"path": str(folder / "other.ms")},
        "fit.t_test": {"L": [0, 1, 0, 0]},
        "fit.wald_test": {"L": [0, 1, 0, 0]},
        "fit.bootstrap": {"nsim": 2, "seed": 1},
        "fit.profile": {"level": 0.9, "which": "x"},
        "fit.scaled_residuals": {"nsim": 10, "seed": 1},
        "fit.simulate": {"seed": 1},
        "fit.stream_predictions": {"path": str(folder / "p.parquet")},
        "accuracy.stream_predictions": {"path": str(folder / "p.parquet")},
        "accurate.stream_predictions": {"path": str(folder / "p.parquet")},
        "model.objective": {"theta": fit.theta},
        "model.gradient": {"theta": fit.theta},
        "model.hessian": {"theta": fit.theta},
        "plan.resized": {"sizes": {"subject": 8}},
        "plan.fit": {"y": plan.simulate(1, seed=1)[0].to_numpy()},
        "plot.bootstrap": {"boot": boot},
        "accurateplot.bootstrap": {"boot": boot},
        "accurateplot.profile": {"which": "x"},
    }
    return {label: (function, arguments.get(label, {})) for label, function in functions.items()}


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return targets(tmp_path_factory.mktemp("sweep"))


# Known without making anything, so that every worker collects the same tests.
KINDS = {
    "functions": lambda label: "." not in label,
    "plots": lambda label: label.startswith(("plot.", "accurateplot.")),
    "fit a-e": lambda label: label.startswith("fit.") and label[4].lower() <= "e",
    "fit f-r": lambda label: label.startswith("fit.") and "f" <= label[4].lower() <= "r",
    "fit s-z": lambda label: label.startswith("fit.") and label[4].lower() >= "s",
    "generalized": lambda label: label.startswith(("accuracy.", "accurate.")),
    "others": lambda label: (
        "." in label and not label.startswith(("plot.", "fit.", "accuracy.", "accurate.", "accurateplot."))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_foreign_exception_whatever_the_argument(every, kind, tmp_path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    chosen = {label: found for label, found in every.items() if KINDS[kind](label)}
    assert len(chosen) >= 5
    foreign = []
    for label, (function, arguments) in chosen.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            for name, value in bad_values().items():
                if parameter.name in CALLED and callable(value):
                    continue
                if (label, parameter.name, name) == ("load", "path", "text"):  # a missing file is FileNotFoundError
                    continue
                if (parameter.name, name) == ("n_jobs", "negative"):  # all cores
                    continue
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", ms.MixedSparseWarning)
                        warnings.simplefilter("ignore", FutureWarning)  # statsmodels' own, of a dict of dicts
                        function(**{**arguments, parameter.name: value})
                except ms.MixedSparseError as err:
                    if str(err).count(" ") < 3:
                        foreign.append(f"{label}({parameter.name}={name}) says too little: {err}")
                except Exception as err:
                    foreign.append(f"{label}({parameter.name}={name}): {type(err).__name__}: {err}")
                finally:
                    pyplot.close("all")
    assert not foreign, "\n".join(foreign)


@pytest.mark.parametrize("label", ["fit.emmeans", "fit.t_test", "fit.conditional_cov", "lmer", "power", "plan.fit"])
def test_missing_and_superfluous_arguments_are_named(every, label):
    function, arguments = every[label]
    for absent in arguments if label != "power" else ["design"]:
        with pytest.raises(ms.ArgumentError, match=f"needs .*{absent}="):
            function(**{name: value for name, value in arguments.items() if name != absent})
    with pytest.raises(ms.ArgumentError, match="arguments without a name"):
        function(*range(30))
    with pytest.raises(ms.ArgumentError, match="has no argument 'zz'"):
        function(**arguments, zz=1)

"""The words that options take, as types: a type checker finds a misspelled one before the call does."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "Adjust",
    "AnovaType",
    "Autocorrelated",
    "Backend",
    "BootstrapKind",
    "BootstrapLimits",
    "CaicMethod",
    "CovarianceKind",
    "CrossedDesign",
    "Ddf",
    "Drop1Test",
    "Errors",
    "GeneralizedDrop1Test",
    "GeneralizedResidual",
    "Information",
    "Interval",
    "IntervalMethod",
    "LogDeterminant",
    "LrtTest",
    "ManyDdf",
    "Method",
    "NewLevels",
    "ProfilePlot",
    "RanovaTest",
    "Redraw",
    "Residual",
    "ResidualPlot",
    "Reused",
    "Scale",
    "VifBy",
    "Weighting",
]

Method = Literal["auto", "direct", "iterative"]
Backend = Literal["auto", "cholmod", "split"]
Ddf = Literal["satterthwaite", "kenward-roger", "normal"]
ManyDdf = Literal["satterthwaite", "normal"]
NewLevels = Literal["error", "zero"]
Interval = Literal["confidence", "prediction"]
IntervalMethod = Literal["wald", "profile", "boot"]
BootstrapKind = Literal["parametric", "residual", "cases"]
BootstrapLimits = Literal["perc", "basic", "norm", "bca"]
AnovaType = Literal[1, 2, 3, "I", "II", "III", "1", "2", "3"]
CrossedDesign = Literal["crossed", "counterbalanced", "stimuli within", "participants within", "both within"]
Drop1Test = Literal["Chisq", "F"]
GeneralizedDrop1Test = Literal["Chisq", "Wald"]
RanovaTest = Literal["Chisq", "exact"]
LogDeterminant = Literal["observed", "fisher"]
LrtTest = Literal["Chisq", "bootstrap"]
Weighting = Literal["equal", "proportional", "outer", "cells"]
Errors = Literal["prediction", "conditional"]
Adjust = Literal["none", "tukey", "dunnettx", "mvt", "sidak", "bonferroni", "holm", "fdr"]
CaicMethod = Literal["greven-kneib", "cAIC4", "vaida-blanchard"]
Residual = Literal[
    "response", "conditional", "marginal", "pearson", "scaled", "normalized", "standardized", "studentized"
]
GeneralizedResidual = Literal["deviance", "pearson", "response", "working", "quantile", "normalized"]
Scale = Literal["link", "response"]
CovarianceKind = Literal["joint", "conditional"]
Autocorrelated = Literal["normalized", "scaled", "pearson", "response", "marginal"]
Information = Literal["expected", "observed"]
ProfilePlot = Literal["zeta", "abs", "density"]
Redraw = Literal["redraw", "conditional"]
ResidualPlot = Literal["scaled", "response"]
Reused = Literal["refit", "fixed"]
VifBy = Literal["term", "coefficient"]

"""mixedsparse: linear mixed models for crossed and nested designs, treated as one global sparse problem."""

import importlib
from typing import TYPE_CHECKING

from mixedsparse.ground.errors import (
    AbsentError,
    AmbiguousResponseWarning,
    ArgumentError,
    ArgumentTypeError,
    BackendError,
    BinaryResponseWarning,
    ColumnError,
    ConvergenceWarning,
    CountResponseWarning,
    DataError,
    DroppedColumnsWarning,
    DroppedRowsWarning,
    EmptyTableWarning,
    FarFromZeroWarning,
    FormulaError,
    MixedSparseError,
    MixedSparseWarning,
    NotIdentifiedWarning,
    NotPositiveDefiniteError,
    OptionError,
    OutOfRangeWarning,
    RefitWarning,
    RoundingWarning,
    RowsElsewhereError,
    SingularFitWarning,
    SourceWarning,
    StorageError,
    StructureWarning,
    UndefinedTestWarning,
    UnusedOptionWarning,
)
from mixedsparse.ground.version import __version__

if TYPE_CHECKING:
    from mixedsparse import datasets
    from mixedsparse.adapters import sklearn as sklearn
    from mixedsparse.api import cov, families
    from mixedsparse.api.anova import anova
    from mixedsparse.api.compare import compare
    from mixedsparse.api.generalized import GeneralizedLinearMixedModel, GeneralizedResults, glmer
    from mixedsparse.api.loading import load
    from mixedsparse.api.many import ManyResults, fit_many
    from mixedsparse.api.model import LinearMixedModel, lmer
    from mixedsparse.api.papers import apa, model_table
    from mixedsparse.api.parsimony import parsimony
    from mixedsparse.api.pooling import pool
    from mixedsparse.api.results import MixedResults
    from mixedsparse.api.versions import show_versions
    from mixedsparse.compat import MixedLM, MixedLMResults, mixedlm
    from mixedsparse.core.problem.terms import RandomTerm
    from mixedsparse.data.formula.hypotheses import Hypotheses, hypotheses
    from mixedsparse.data.pedigree import Pedigree
    from mixedsparse.data.relations import Precision, nearest
    from mixedsparse.ground.options import FitOptions
    from mixedsparse.inference.pooling import Pooled
    from mixedsparse.planning import CrossedPower, Plan, Power, crossed_power, design, plan, power

__all__ = [
    "AbsentError",
    "AmbiguousResponseWarning",
    "ArgumentError",
    "ArgumentTypeError",
    "BackendError",
    "BinaryResponseWarning",
    "ColumnError",
    "ConvergenceWarning",
    "CountResponseWarning",
    "CrossedPower",
    "DataError",
    "DroppedColumnsWarning",
    "DroppedRowsWarning",
    "EmptyTableWarning",
    "FarFromZeroWarning",
    "FitOptions",
    "FormulaError",
    "GeneralizedLinearMixedModel",
    "GeneralizedResults",
    "Hypotheses",
    "LinearMixedModel",
    "ManyResults",
    "MixedLM",
    "MixedLMResults",
    "MixedResults",
    "MixedSparseError",
    "MixedSparseWarning",
    "NotIdentifiedWarning",
    "NotPositiveDefiniteError",
    "OptionError",
    "OutOfRangeWarning",
    "Pedigree",
    "Plan",
    "Pooled",
    "Power",
    "Precision",
    "RandomTerm",
    "RefitWarning",
    "RoundingWarning",
    "RowsElsewhereError",
    "SingularFitWarning",
    "SourceWarning",
    "StorageError",
    "StructureWarning",
    "UndefinedTestWarning",
    "UnusedOptionWarning",
    "__version__",
    "anova",
    "apa",
    "compare",
    "cov",
    "crossed_power",
    "datasets",
    "design",
    "families",
    "fit_many",
    "glmer",
    "hypotheses",
    "lmer",
    "load",
    "mixedlm",
    "model_table",
    "nearest",
    "parsimony",
    "plan",
    "pool",
    "power",
    "show_versions",
]


# Where each name is. They are looked up when they are first asked for, so that importing the package costs little; what
# a type checker sees is the same, and a test holds both against each other.
_HOMES = {
    "mixedsparse.api.anova": "anova",
    "mixedsparse.api.compare": "compare",
    "mixedsparse.api.generalized": "GeneralizedLinearMixedModel GeneralizedResults glmer",
    "mixedsparse.api.loading": "load",
    "mixedsparse.api.many": "ManyResults fit_many",
    "mixedsparse.api.model": "LinearMixedModel lmer",
    "mixedsparse.api.papers": "apa model_table",
    "mixedsparse.api.parsimony": "parsimony",
    "mixedsparse.api.pooling": "pool",
    "mixedsparse.api.results": "MixedResults",
    "mixedsparse.api.versions": "show_versions",
    "mixedsparse.compat": "MixedLM MixedLMResults mixedlm",
    "mixedsparse.core.problem.terms": "RandomTerm",
    "mixedsparse.data.formula.hypotheses": "Hypotheses hypotheses",
    "mixedsparse.data.pedigree": "Pedigree",
    "mixedsparse.data.relations": "Precision nearest",
    "mixedsparse.ground.options": "FitOptions",
    "mixedsparse.inference.pooling": "Pooled",
    "mixedsparse.planning": "CrossedPower Plan Power crossed_power design plan power",
}
_MODULES = {name: f"mixedsparse.api.{name}" for name in ("cov", "families")} | {
    "datasets": "mixedsparse.datasets",
    "sklearn": "mixedsparse.adapters.sklearn",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


if not TYPE_CHECKING:  # to a type checker the names above are all there are

    def __getattr__(name):
        """Import what is asked for; say of a name that is not there what to use instead."""
        if name in _MODULES:
            found = importlib.import_module(_MODULES[name])
        elif name in _HOME_OF:
            found = getattr(importlib.import_module(_HOME_OF[name]), name)
        else:
            from mixedsparse.ground.foreign import absent_name

            raise absent_name(name, __all__)
        globals()[name] = found
        return found

    def __dir__():
        """Names of the package, those that were not yet asked for too."""
        return sorted({*globals(), *__all__})

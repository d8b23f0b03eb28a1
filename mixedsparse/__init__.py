"""mixedsparse: linear mixed models for crossed and nested designs, treated as one global sparse problem."""

from typing import TYPE_CHECKING

from mixedsparse import datasets
from mixedsparse.api import families
from mixedsparse.api.anova import anova
from mixedsparse.api.compare import compare
from mixedsparse.api.generalized import GeneralizedLinearMixedModel, GeneralizedResults, glmer
from mixedsparse.api.loading import load
from mixedsparse.api.model import LinearMixedModel, lmer
from mixedsparse.api.parsimony import parsimony
from mixedsparse.api.results import MixedResults
from mixedsparse.compat import MixedLM, MixedLMResults, mixedlm
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.ground.errors import (
    AbsentError,
    ArgumentError,
    ArgumentTypeError,
    BackendError,
    BinaryResponseWarning,
    ColumnError,
    ConvergenceWarning,
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
    RefitWarning,
    RoundingWarning,
    RowsElsewhereError,
    SingularFitWarning,
    StorageError,
    UndefinedTestWarning,
    UnusedOptionWarning,
)
from mixedsparse.ground.foreign import absent_name
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.version import __version__
from mixedsparse.planning import Plan, Power, design, plan, power

__all__ = [
    "AbsentError",
    "ArgumentError",
    "ArgumentTypeError",
    "BackendError",
    "BinaryResponseWarning",
    "ColumnError",
    "ConvergenceWarning",
    "DataError",
    "DroppedColumnsWarning",
    "DroppedRowsWarning",
    "EmptyTableWarning",
    "FarFromZeroWarning",
    "FitOptions",
    "FormulaError",
    "GeneralizedLinearMixedModel",
    "GeneralizedResults",
    "LinearMixedModel",
    "MixedLM",
    "MixedLMResults",
    "MixedResults",
    "MixedSparseError",
    "MixedSparseWarning",
    "NotIdentifiedWarning",
    "NotPositiveDefiniteError",
    "OptionError",
    "Plan",
    "Power",
    "RandomTerm",
    "RefitWarning",
    "RoundingWarning",
    "RowsElsewhereError",
    "SingularFitWarning",
    "StorageError",
    "UndefinedTestWarning",
    "UnusedOptionWarning",
    "__version__",
    "anova",
    "compare",
    "datasets",
    "design",
    "families",
    "glmer",
    "lmer",
    "load",
    "mixedlm",
    "parsimony",
    "plan",
    "power",
]


if not TYPE_CHECKING:  # to a type checker the names above are all there are

    def __getattr__(name):
        """Say of a name that is not there what to use instead."""
        raise absent_name(name, __all__)

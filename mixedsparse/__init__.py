"""mixedsparse: linear mixed models for crossed and nested designs, treated as one global sparse problem."""

from typing import TYPE_CHECKING

from mixedsparse import datasets
from mixedsparse.compat import MixedLM, MixedLMResults, mixedlm
from mixedsparse.core.terms import RandomTerm
from mixedsparse.errors import (
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
    RowsElsewhereError,
    SingularFitWarning,
    UndefinedTestWarning,
    UnusedOptionWarning,
)
from mixedsparse.foreign import absent_name
from mixedsparse.inference.compare import compare
from mixedsparse.inference.lrt import anova
from mixedsparse.inference.parsimony import parsimony
from mixedsparse.model import LinearMixedModel, lmer
from mixedsparse.options import FitOptions
from mixedsparse.planning import Plan, Power, design, plan, power
from mixedsparse.results import MixedResults
from mixedsparse.storage import StorageError, load

__version__ = "0.1.0"

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

"""Exceptions and warnings: one class per remedy, each also the fitting builtin.

::

    MixedSparseError(Exception)
    ├── FormulaError(ValueError)         the formula cannot be read
    ├── DataError(ValueError)            the data cannot support the requested model
    │   └── ColumnError(KeyError)        a column that the call names is not there
    ├── OptionError(ValueError)          an option has a value that is not known
    ├── ArgumentError(TypeError)         a call has an argument that the function does not take
    │   └── ArgumentTypeError(OptionError)   an argument has a value of a type that it does not take
    ├── AbsentError(AttributeError)      a name of another package, or a slip, that this package does not have
    ├── BackendError(RuntimeError)       the model needs software or memory that is missing
    ├── RowsElsewhereError(RuntimeError) the rows of the model are in a database or in files, not in memory
    ├── StorageError(ValueError)         a file of results cannot be read or written
    └── NotPositiveDefiniteError(ArithmeticError)   a factorisation broke down

    MixedSparseWarning(UserWarning)
    ├── ConvergenceWarning               the search stopped early, or the likelihood has no maximum
    ├── SingularFitWarning               the optimum lies on the boundary
    ├── NotIdentifiedWarning             the design tells nothing of some covariance parameters
    ├── RefitWarning                     the model was refitted by the other criterion (ML or REML)
    ├── AmbiguousResponseWarning         a response can be read in two ways
    ├── BinaryResponseWarning            a linear model was fitted to a response of zeros and ones
    ├── CountResponseWarning             a linear model was fitted to a response that looks like counts
    ├── UndefinedTestWarning             a test or an interval has no value: NaN stands in the table
    ├── EmptyTableWarning                what was asked for gives a table without rows
    ├── SourceWarning                    data are read otherwise than they may be meant
    ├── StructureWarning                 a covariance structure is hardly the one that is meant
    ├── UnusedOptionWarning              an option of the call changes nothing in this model
    ├── FarFromZeroWarning               a covariate is so far from 0 that rounding costs digits: centre it
    ├── OutOfRangeWarning                a link has no mean at some linear predictors: NaN stands in their place
    ├── RoundingWarning                  rounding leaves fewer digits than a result should have
    ├── DroppedRowsWarning               rows with missing values were left out
    └── DroppedColumnsWarning            columns of X were linear combinations of others
"""

from __future__ import annotations

from collections.abc import Iterable

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
    "DataError",
    "DroppedColumnsWarning",
    "DroppedRowsWarning",
    "FarFromZeroWarning",
    "FormulaError",
    "MixedSparseError",
    "MixedSparseWarning",
    "NotIdentifiedWarning",
    "NotPositiveDefiniteError",
    "OptionError",
    "OutOfRangeWarning",
    "RefitWarning",
    "RoundingWarning",
    "RowsElsewhereError",
    "SingularFitWarning",
    "SourceWarning",
    "StorageError",
    "StructureWarning",
    "UndefinedTestWarning",
    "UnusedOptionWarning",
]


class MixedSparseError(Exception):
    """Base class of every error that mixedsparse raises on purpose."""


class FormulaError(MixedSparseError, ValueError):
    """The formula cannot be read; the message quotes the part and a spelling that works."""


class DataError(MixedSparseError, ValueError):
    """The data cannot support the requested model."""


class ColumnError(DataError, KeyError):
    """A column that the call names is not in the data."""

    @classmethod
    def missing(cls, names: Iterable[str], available: Iterable[object], used: str) -> ColumnError:
        """Build the message from the missing `names`, what is `available` and where they are `used`."""
        wanted = ", ".join(repr(n) for n in sorted(names))
        present = ", ".join(repr(str(a)) for a in available)
        return cls(f"The data have no column {wanted}, used in {used}. Columns present: {present}.")

    def __str__(self) -> str:
        """Return the sentence itself (KeyError would show its repr)."""
        return str(self.args[0]) if self.args else ""


class OptionError(MixedSparseError, ValueError):
    """An option has a value that is not known; the message lists the known ones."""


class ArgumentError(MixedSparseError, TypeError):
    """A call has an argument that the function does not take; the message says what to write instead."""


class ArgumentTypeError(ArgumentError, OptionError):
    """An argument has a value of a type that it does not take; the message says what it takes."""


class AbsentError(MixedSparseError, AttributeError):
    """The package has nothing of that name; the message says what to use instead."""


class BackendError(MixedSparseError, RuntimeError):
    """The model needs software or memory that this machine does not have."""


class RowsElsewhereError(MixedSparseError, RuntimeError):
    """The model was aggregated from a source, and what was asked for needs its rows one by one."""


class StorageError(MixedSparseError, ValueError):
    """A file cannot be read or written: not ours, damaged, from a newer version, or it needs a name that is missing."""


class NotPositiveDefiniteError(MixedSparseError, ArithmeticError):
    """A Cholesky factorisation broke down: the numbers are not finite, or theta is absurd."""


class MixedSparseWarning(UserWarning):
    """Base class of every warning that mixedsparse issues."""


class ConvergenceWarning(MixedSparseWarning):
    """The search for theta stopped before it met its tolerance, or the likelihood has no maximum."""


class SingularFitWarning(MixedSparseWarning):
    """The optimum lies on the boundary: some random direction has no variance."""


class NotIdentifiedWarning(MixedSparseWarning):
    """Some covariance parameters have no estimate: other values of them fit any response of the design as well."""


class RefitWarning(MixedSparseWarning):
    """What was asked for needs the other criterion (ML or REML): the model was refitted by it."""


class AmbiguousResponseWarning(MixedSparseWarning):
    """A response can be read in two ways: the message says which was taken, and how to write the other."""


class BinaryResponseWarning(MixedSparseWarning):
    """A linear model was fitted to a response of zeros and ones: a linear probability model."""


class CountResponseWarning(MixedSparseWarning):
    """A linear model was fitted to a response that looks like counts."""


class UndefinedTestWarning(MixedSparseWarning):
    """A test or an interval has no value, or none by the method asked for: NaN stands in its place."""


class EmptyTableWarning(MixedSparseWarning):
    """What was asked for gives a table without rows."""


class SourceWarning(MixedSparseWarning):
    """Data are read otherwise than they may be meant: a lazy frame in memory, or categories in one order of several."""


class StructureWarning(MixedSparseWarning):
    """The covariance structure of a term is hardly the one that is meant: the message says which to write."""


class UnusedOptionWarning(MixedSparseWarning):
    """An option of the call changes nothing in this model."""


class DroppedRowsWarning(MixedSparseWarning):
    """Rows with missing values were left out of the fit."""


class FarFromZeroWarning(MixedSparseWarning):
    """A covariate is millions of its standard deviations away from 0, and rounding costs it digits: centre it."""


class OutOfRangeWarning(MixedSparseWarning):
    """Linear predictors lie where their link has no mean: NaN stands in their place."""


class RoundingWarning(MixedSparseWarning):
    """Rounding leaves fewer digits than a result should have: it goes by sums, where the fit went by rows."""


class DroppedColumnsWarning(MixedSparseWarning):
    """Columns of the fixed-effects design were linear combinations of earlier ones."""

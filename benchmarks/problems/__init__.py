"""What is fitted: the table of problems, and every model that comes with the project (`bundled`)."""

from benchmarks.problems.problem import Model, Problem
from benchmarks.problems.table import PROBLEMS, select

__all__ = ["PROBLEMS", "Model", "Problem", "select"]

"""Ways to evaluate the criterion, each with its price, and the one that is chosen."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LINEAR", "Candidate", "Cost", "Demands", "generalized_demands"]


@dataclass(frozen=True, slots=True)
class Demands:
    """What a search asks for beside evaluations of the criterion of a linear model.

    Attributes
    ----------
    evaluations, steps : int
        Further evaluations with derivatives of a direct search; evaluations of an iterative one.
    factorisations, solutions : float
        Work of a direct and of an iterative evaluation, over that of a linear model.
    rows, probed_rows : float
        Work of its visits to the rows, of a direct and of an iterative evaluation.
    """

    evaluations: int = 0
    steps: int = 3
    factorisations: float = 1.0
    solutions: float = 1.0
    rows: float = 0.0
    probed_rows: float = 0.0


LINEAR = Demands()
# Generalized models: steps of a search, factorisations and solutions of an evaluation, and the work of a row in it.
_SEARCH, _FACTORISATIONS, _SOLUTIONS, _ROW_WORK, _PROBED_ROW_WORK = 6, 1.5, 2.0, 6e3, 2e4


def generalized_demands(rows: int, parameters: int) -> Demands:
    """Demands of a generalized model: rows are visited again and again; standard errors take one gradient each."""
    return Demands(
        evaluations=1 + parameters,
        steps=_SEARCH + 1 + parameters,
        factorisations=_FACTORISATIONS,
        solutions=_SOLUTIONS,
        rows=_ROW_WORK * rows,
        probed_rows=_PROBED_ROW_WORK * rows,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to evaluate the criterion.

    Attributes
    ----------
    name : {"split", "cholmod", "iterative"}
    nnz : float
        Numbers in the factor L; 0 for the iterative method, which has none.
    flops : float
        Multiply-adds of the factorisation (or of the solutions) in one evaluation.
    work : float
        The same for a whole evaluation, weighted by speed: in multiply-adds of a dense factorisation.
    memory : float
        Bytes at the peak, beyond the data and their cross-products.
    disk : float
        Bytes of temporary files, with those of pairs of levels that lie in one already.
    evaluations : int
        Of the criterion with its derivatives, expected in a search.
    seconds : float
        Of the whole search, expected on this machine; of the iterative method where levels are well connected (chains
        of nested factors take it many more iterations).
    counted : bool
        Whether `nnz` is exact; an estimate or an upper bound otherwise.
    """

    name: str
    nnz: float
    flops: float
    work: float
    memory: float
    disk: float
    evaluations: int
    seconds: float
    counted: bool


@dataclass(frozen=True)
class Cost:
    """What a fit will cost.

    Attributes
    ----------
    n, p, q, m : int
        Observations, fixed effects, random effects, covariance parameters.
    nnz : int
        Entries of the lower triangle of Z'Z.
    eliminated : str
        Grouping factor with most random effects, which is eliminated without filling in.
    fills : str
        Grouping factor with most random effects among the others, whose part of the factor fills in; empty where
        there is no other.
    rest : int
        Random effects of all grouping factors but the one that is eliminated.
    candidates : tuple of Candidate
    available : float
        Bytes of memory that a fit may take.
    backend : {"split", "cholmod", "iterative"}
        The candidate that is chosen.
    reason : str
        Why, as a sentence.
    """

    n: int
    p: int
    q: int
    m: int
    nnz: int
    eliminated: str
    fills: str
    rest: int
    candidates: tuple[Candidate, ...]
    available: float
    backend: str
    reason: str

    @property
    def method(self) -> str:
        """``"direct"`` or ``"iterative"``."""
        return "iterative" if self.backend == "iterative" else "direct"

    @property
    def chosen(self) -> Candidate:
        """The candidate that is chosen."""
        return next(c for c in self.candidates if c.name == self.backend)

    @property
    def seconds(self) -> float:
        """Seconds that the search is expected to take."""
        return self.chosen.seconds

    @property
    def memory(self) -> float:
        """Bytes that the search is expected to take, beyond the data and their cross-products."""
        return self.chosen.memory

    @property
    def disk(self) -> float:
        """Bytes of temporary files while it lasts, those of pairs of levels among them."""
        return self.chosen.disk

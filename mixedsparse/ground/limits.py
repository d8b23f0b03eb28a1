"""Sizes and amounts of work at which another way of computing takes over: one frozen object that is handed in.

None of them changes a result but within its rounding or Monte-Carlo error; they were measured. Engines carry theirs, so
that whatever is computed with an engine goes by them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where ways of computing change.

    Attributes
    ----------
    small_rest : int
        Random effects beyond the largest block up to which the split always wins, and nothing is foreseen: its dense
        kernels take less than the sparse bookkeeping.
    analysed : float
        Entries of Z'Z up to which CHOLMOD's own analysis (seconds per million) is worth waiting for where the iterative
        method is at hand; beyond, a cheap order of elimination gives a bound.
    largest_index : float
        Numbers of a factor that CHOLMOD can count.
    patience, worth_it : float
        Work of a direct fit from which on the iterative one is taken (a minute or so), if it needs `worth_it` times
        less.
    entry_bytes, side_bytes : float
        Memory of the iterative method: per entry of Z'Z that is listed both ways, and per effect and right-hand side.
    mapped : float
        Bytes of an array of pairs of levels from which on it lies in a temporary file: what is read in order costs no
        more from there, as long as memory that nobody needs holds it.
    memory : float, optional
        Bytes that a fit may take; what is available by default.
    unit_seconds : float, optional
        Seconds of a unit of work, which only expected times rest on; measured by default.
    counted : int
        Random effects beyond the largest block up to which a factorisation is quicker than loading compiled loops.
    kept_schur : int
        Size of the rest up to which a few more dense arrays of its size are no matter.
    written, worthwhile : float
        Random effects up to which W is written out, and multiply-adds per parameter up to which an exact Hessian saves
        more evaluations than it costs: with two variances and 970 effects it took six times as long as an evaluation
        with gradient, and saved none.
    kept : int
        Products of effects that are kept, row by row, for sums with other weights; beyond, they are made again.
    whole : float
        Multiply-adds up to which sums with other weights are one dense product of all columns.
    copied : int
        Numbers that are copied at a time for a table of traces.
    dense, dense_crossed : int
        Random effects and columns of X up to which a search takes dense algebra on all of them at once: for one
        grouping factor, whose levels the split takes one by one, and for several.
    orthogonal : float
        Multiply-adds of one factorisation that a search with restored digits may take.
    batch_dense, batch_levels, batch_exact, batch_map : int
        Of many problems with one design: random effects up to which W is written out for all at once, in total or
        beside a factor that is eliminated; effects per level up to which one grouping factor is taken level by level;
        random effects up to which exact traces cost about as much as an evaluation; and numbers of the linear map that
        eliminates a factor for all at once.
    exact_coarse : int
        Effects beyond the largest block up to which the coarse space of the iterative method is everything, and its
        traces are exact.
    iterations : int
        Of conjugate gradients.
    threaded : float
        Multiply-adds of a product of the iterative method from which on a second thread is worth waking: on a busy
        machine that takes milliseconds.
    collapsed : int
        Rows of a generalized model from which on those that agree are looked for.
    nodes : int
        Rows times nodes of a quadrature that are worked on at a time.
    solved : int
        Numbers of right-hand sides that are solved for together, for variances of predicted means.
    rows_alone : int
        Rows up to which the variances of predicted means come from a solution for each, which reads the factor, and not
        from the covariances of all levels, which take its inverse.
    rows_solved : int
        Rows whose variances an iterative fit gives at a time: each costs a solution.
    streamed : int
        Rows of a source that are predicted at a time.
    wide_columns, wide_bytes : int
        Columns of X, and bytes that making it and its basis take, from both of which on only the numbers of X that are
        not 0 are kept.
    narrowed : int
        Columns of X from which on a search leaves out those that meet no random effect.
    """

    small_rest: int = 400
    analysed: float = 1e6
    largest_index: float = 2.0**31
    patience: float = 2e12
    worth_it: float = 3.0
    entry_bytes: float = 40
    side_bytes: float = 40
    mapped: float = 2.0**30
    memory: float | None = None
    unit_seconds: float | None = None
    counted: int = 1500
    kept_schur: int = 1500
    written: int = 1500
    worthwhile: float = 2e7
    kept: int = 4_000_000
    whole: float = 4e5
    copied: int = 500_000
    dense: int = 64
    dense_crossed: int = 160
    orthogonal: float = 2e8
    batch_dense: int = 80
    batch_levels: int = 12
    batch_exact: int = 400
    batch_map: int = 8_000_000
    exact_coarse: int = 192
    iterations: int = 2000
    threaded: float = 1e7
    collapsed: int = 1000
    nodes: int = 400_000
    solved: int = 4_000_000
    rows_alone: int = 16
    rows_solved: int = 1_000
    streamed: int = 250_000
    wide_columns: int = 500
    wide_bytes: float = 2.0**31
    narrowed: int = 1000


LIMITS = Limits()

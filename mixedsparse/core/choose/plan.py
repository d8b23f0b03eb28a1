"""What a fit will cost, foreseen before it is paid: the one place that chooses how the criterion is evaluated.

Three ways are weighed: the split (`split`: the largest grouping factor is eliminated by hand, the rest is dense),
CHOLMOD (`sparse`: any pattern, with its own order of elimination) and, where both would take too long or too much
memory, the iterative method (`krylov`), which needs no factor but has a Monte-Carlo error.

Work is counted in multiply-adds of a dense factorisation, so that a choice rests on counts and on memory, never on a
clock; only the seconds that are told rest on the speed of the machine. The constants below were measured by
``python -m benchmarks.foresight``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixedsparse.core.choose.candidates import LINEAR, Candidate, Cost, Demands
from mixedsparse.core.choose.elimination import (
    Elimination,
    counts_by_size,
    coupling_memory,
    density,
    iterative_lists,
    totals,
)
from mixedsparse.core.choose.memory import available_memory, memory_text
from mixedsparse.core.choose.speed import seconds_per_unit
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.core.engines.cholmod.engine import CholmodEngine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import BackendError
from mixedsparse.ground.limits import LIMITS, Limits
from mixedsparse.ground.mapped import bytes_on_disk
from mixedsparse.ground.progress import duration_text

__all__ = ["Plan", "foresee", "is_small", "plan"]

# Share of the Schur complement that elimination of the largest block fills, from which on it counts as dense.
_DENSE_SHARE = 0.3
# Rest sizes from which on that share is measured: below, visits to its entries are counted, with repetition.
_SAMPLED_REST = 3000
# Speed of the dense kernels over that of a sparse factorisation with selected inverse.
_SPARSE_WORK = 12.0
# Work of one visit to an entry of the Schur complement, scatter and gather, and of what is done for each entry of Z'Z.
_VISIT_WORK, _REFILL_WORK = 60.0, 5e3
# Dense arrays of the size of the Schur complement that the split holds at once.
_SPLIT_ARRAYS = 3
# Bytes for each number of L (L, its copy and its inverse, their indices), and for each entry of Z'Z.
_FACTOR_BYTES, _PATTERN_BYTES = 80, 120
# How many times less CHOLMOD's own order may need than the cheap one; and error of a share that is measured.
_BETTER, _SAMPLE_ERROR = 10.0, 2.0
# Iterative method: right-hand sides of an evaluation beside the columns of X (probes above all), those that are held at
# once, iterations of a solution, and the work of an entry of Z'Z in one iteration for one right-hand side.
_SIDES, _HELD, _ITERATIONS, _ENTRY_WORK = 60, 16, 15, 8.0
# Evaluations of a search: at least, and per covariance parameter.
_EVALUATIONS, _PER_PARAMETER = 5, 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """A cost, and the engine that was set up to foresee it, where there is one."""

    cost: Cost
    engine: CholmodEngine | None


def is_small(problem: Problem, limits: Limits = LIMITS) -> bool:
    """Whether the split costs so little that there is nothing to choose, and foreseeing would cost more."""
    return Elimination.of(problem).rest <= limits.small_rest


def foresee(problem: Problem, backend: str = "auto", method: str = "auto", limits: Limits = LIMITS) -> Cost:
    """Foresee what a fit costs, and choose how it is done; see `plan`, which raises where this does."""
    return plan(problem, backend, method, limits).cost


def plan(
    problem: Problem,
    backend: str = "auto",
    method: str = "auto",
    limits: Limits = LIMITS,
    demands: Demands = LINEAR,
) -> Plan:
    """Weigh the ways to evaluate the criterion, from the pattern of Z'Z alone.

    Parameters
    ----------
    problem : Problem
    backend : {"auto", "cholmod", "split"}
        Of a direct fit; ``"auto"`` takes the one that needs less work.
    method : {"auto", "direct", "iterative"}
        ``"auto"`` is direct unless that takes more than the memory there is, or more than a minute or so and several
        times what the iterative method takes.
    limits : Limits
    demands : Demands

    Raises
    ------
    BackendError
        CHOLMOD is asked for and cannot be imported, or what is asked for does not fit into memory.
    """
    if backend == "cholmod" and not cholmod.available():
        raise BackendError(
            "backend='cholmod' needs scikit-sparse: install mixedsparse[cholmod] (it compiles against SuiteSparse)."
        )
    if method == "iterative" and problem.coupled:
        raise BackendError("Iterative fits do without roles(), mm() and rel(): fit them by method='direct'.")
    weighed = _Weighed(problem, backend, method, limits, demands)
    direct, why = weighed.direct(backend)
    if method == "direct" or backend != "auto":
        weighed.check(direct)
        return weighed.plan(direct, why)
    iterative = weighed.iterative
    if iterative is None:
        return weighed.plan(direct, why)
    if method == "iterative":
        weighed.check(iterative)
        return weighed.plan(iterative, "It was asked for.")
    if weighed.too_big(direct):
        needed, there = memory_text(direct.memory), memory_text(weighed.available)
        why = f"A factor would take about {needed} of memory, and {there} are available."
        weighed.check(iterative)
        return weighed.plan(iterative, f"{weighed.fill()} {why}")
    long = direct.work * direct.evaluations > max(
        limits.patience, limits.worth_it * iterative.work * iterative.evaluations
    )
    if long and not weighed.too_big(iterative):
        why = f"A direct fit would take about {duration_text(direct.seconds)}."
        return weighed.plan(iterative, f"{weighed.fill()} {why}")
    return weighed.plan(direct, why)


class _Weighed:
    """The candidates for one problem."""

    def __init__(self, problem: Problem, backend: str, method: str, limits: Limits, demands: Demands) -> None:
        self.problem, self.limits, self.elimination, self.demands = problem, limits, Elimination.of(problem), demands
        self.thorough = method == "direct" or backend != "auto"
        self.rest = self.elimination.rest
        self.available = available_memory() if limits.memory is None else limits.memory
        widths = problem.layout.widths
        self.nnz = sum(k * s for k, s in zip((0.5 * (k + 1) for k in widths), self.elimination.sizes, strict=True))
        self.nnz += sum(pairs.data.size for pairs in problem.pairs.values())
        self.evaluations = round(_EVALUATIONS + _PER_PARAMETER * problem.n_theta) + demands.evaluations
        self.visits = self.elimination.visits(problem)
        self.engine: CholmodEngine | None = None
        self.on_disk = bytes_on_disk(*(part for one in problem.pairs.values() for part in (one.indices, one.data)))
        self.split = self._split()
        self.cholmod = self._cholmod() if method != "iterative" and self._asks_cholmod(backend) else None
        self.iterative = self._iterative() if self.rest and not problem.coupled else None

    def _asks_cholmod(self, backend: str) -> bool:
        """Whether CHOLMOD can be the better one: the rest is neither small nor dense anyway."""
        if backend != "auto" or not cholmod.available() or self.rest <= self.limits.small_rest:
            return backend == "cholmod"
        met = sum(2 * self.problem.pairs[b, b].data.size for b in self.problem.coupled)
        if self.visits + met <= _DENSE_SHARE * self.rest**2:
            return True
        if self.rest <= _SAMPLED_REST:
            return False
        filled = density(self.problem, self.elimination.first)
        # What the largest block fills is in the factor by the cheap order: where that does not fit, none is counted.
        least = _FACTOR_BYTES * (0.5 * filled * self.rest**2 + self.nnz)
        return filled <= _DENSE_SHARE and (self.thorough or least <= _SAMPLE_ERROR * self.available)

    def direct(self, backend: str) -> tuple[Candidate, str]:
        """Return the better of split and CHOLMOD, and why."""
        eliminated = self.names()[0]
        if backend == "cholmod" or (backend == "split" and self.cholmod is None):
            return self.cholmod or self.split, "It was asked for."
        if not self.rest:
            only = f"{eliminated} is the only grouping factor: nothing fills in."
            return self.split, only if self.problem.terms else "There are no random effects: nothing is factorised."
        first = f"eliminating {eliminated} leaves" if eliminated else "levels meet one another, which leaves all"
        left = f"{first} {self.rest:,} random effects"
        if self.cholmod is None:
            kind = "a small dense system" if self.rest <= self.limits.small_rest else "a dense system"
            return self.split, f"{left[0].upper()}{left[1:]}, {kind}."
        # What does not fit comes last, whatever its work.
        if (self.too_big(self.cholmod), self.cholmod.work) < (self.too_big(self.split), self.split.work):
            return self.cholmod, f"CHOLMOD's factor stays sparse, where {left}."
        return self.split, f"CHOLMOD's factor would fill in as well, where {left}."

    def too_big(self, candidate: Candidate) -> bool:
        """Whether it takes more memory than there is, or more numbers than CHOLMOD can count."""
        return candidate.memory > self.available or (
            candidate.name == "cholmod" and candidate.nnz >= self.limits.largest_index
        )

    def _candidate(
        self, name: str, nnz: float, flops: float, work: float, memory: float, counted: bool, disk: float = 0.0
    ) -> Candidate:
        demands, probed = self.demands, name == "iterative"
        evaluations = demands.steps if probed else self.evaluations
        work *= demands.solutions if probed else demands.factorisations
        work += demands.probed_rows if probed else demands.rows
        unit = seconds_per_unit() if self.limits.unit_seconds is None else self.limits.unit_seconds
        seconds = evaluations * work * unit
        return Candidate(name, nnz, flops, work, memory, self.on_disk + disk, evaluations, seconds, counted)

    def _split(self) -> Candidate:
        dense = float(self.rest) ** 2
        flops = dense * self.rest / 2.0 + self.visits
        return self._candidate(
            "split",
            nnz=self.nnz + dense / 2.0,
            flops=flops,
            work=dense * self.rest + _VISIT_WORK * self.visits + _REFILL_WORK * self.nnz,
            memory=_SPLIT_ARRAYS * 8.0 * dense + coupling_memory(self.problem, self.elimination, self.visits, self.nnz),
            counted=True,
        )

    def _cholmod(self) -> Candidate:
        pattern = _PATTERN_BYTES * self.nnz
        analysed, weights = self.nnz <= self.limits.analysed and pattern <= self.available, None
        if not analysed:
            counts, weights = counts_by_size(self.problem)
            # CHOLMOD's order is a better one, but not by that much, and looking for it would take minutes.
            hopeful = _FACTOR_BYTES * totals(counts, weights)[0] + pattern <= _BETTER * self.available
            analysed = self.thorough and hopeful and pattern <= self.available
        if analysed:
            self.engine = CholmodEngine(self.problem, self.limits)
            counts, weights = self.engine.column_counts(), None
        nnz, flops = totals(counts, weights)
        memory = _FACTOR_BYTES * nnz + pattern
        work = _SPARSE_WORK * flops + _REFILL_WORK * self.nnz
        return self._candidate("cholmod", nnz, flops, work, memory, counted=weights is None)

    def _iterative(self) -> Candidate:
        sides = _SIDES + self.problem.p
        flops = sides * _ITERATIONS * self.nnz
        work = _ENTRY_WORK * flops + _REFILL_WORK * self.nnz
        lists, disk = iterative_lists(self.problem, self.limits)
        memory = lists + float(self.limits.side_bytes) * (_HELD + self.problem.p) * sum(self.elimination.sizes)
        return self._candidate("iterative", 0.0, flops, work, memory, counted=False, disk=disk)

    def names(self) -> tuple[str, str]:
        """Return the grouping factors that are eliminated and that fill in."""
        return self._name(self.elimination.first), self._name(self.elimination.filling)

    def _name(self, block: int | None) -> str:
        if block is None:
            return ""
        layout = self.problem.layout
        return self.problem.terms[layout.term_block.index(block)].group

    def fill(self) -> str:
        """Which factor fills in, as a sentence."""
        eliminated, fills = self.names()
        if not eliminated:
            return f"Levels of {fills} meet one another."
        return f"Eliminating {eliminated} leaves {self.rest:,} random effects, most of them of {fills}, which fill in."

    def check(self, candidate: Candidate) -> None:
        """Refuse what does not fit into memory, before it is allocated."""
        if not self.too_big(candidate):
            return
        needed, there = memory_text(candidate.memory), memory_text(self.available)
        if candidate is self.iterative:
            raise BackendError(
                f"Even the iterative method would take about {needed} of memory for {self.problem.layout.q:,} random "
                f"effects, and {there} are available: free some, remove a term, or fit a sample of the levels."
            )
        mend = "use method='iterative', which needs no factor"
        if not cholmod.available():
            mend += ", or install mixedsparse[cholmod], which may keep it sparse"
        elif candidate is self.split and not self.too_big(self.cholmod or self._cholmod()):
            mend = "use backend='cholmod', which keeps it sparse"
        raise BackendError(
            f"{self.fill()} A direct fit (backend={candidate.name!r}) would take about {needed} of memory, and {there} "
            f"are available: {mend}; or remove a term."
        )

    def plan(self, chosen: Candidate, reason: str) -> Plan:
        """Put the cost together."""
        problem = self.problem
        eliminated, fills = self.names()
        candidates = tuple(c for c in (self.split, self.cholmod, self.iterative) if c is not None)
        cost = Cost(
            n=problem.n,
            p=problem.p,
            q=problem.layout.q,
            m=problem.n_covariance,
            nnz=int(self.nnz),
            eliminated=eliminated,
            fills=fills,
            rest=self.rest,
            candidates=candidates,
            available=self.available,
            backend=chosen.name,
            reason=reason,
        )
        return Plan(cost, self.engine if chosen is self.cholmod else None)

"""The classes that a file holds, with the fields of each by name.

A file knows a class by the tag below, never by its module: modules and classes may be renamed, tags and the names of
fields stay. A field that is new in a class gets its default when an older file is read; a test tells of fields that are
not listed. What follows from the other fields is not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixedsparse.api.storage import generalized, relations, residuals, structures
from mixedsparse.api.storage.record import Fields, Record, record
from mixedsparse.api.storage.specs import spec_facts, spec_of
from mixedsparse.core.fitting.certificate import Certificate
from mixedsparse.core.fitting.estimates import Fit, MonteCarlo
from mixedsparse.core.fitting.identification import Component, Unidentified
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.newton.trust import Step
from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.fixed import FixedBasis
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.sparse_columns import ImplicitBasis, SparseColumns
from mixedsparse.core.problem.sums import PlainSums
from mixedsparse.core.problem.terms import RandomTerm, ThetaLayout
from mixedsparse.data.formula.contrasts import Coding, Contrast
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.encoders import Recipe, Side, Transform, parse_side
from mixedsparse.data.formula.grouping import Atom, Grouping
from mixedsparse.data.formula.hypotheses import Hypotheses
from mixedsparse.data.formula.joint import Joint, JointGrouping
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.formula.newdata import Encoding, TermEncoding
from mixedsparse.data.formula.outcomes import Outcome
from mixedsparse.data.formula.parse import Expression, ParsedBar, ParsedFormula
from mixedsparse.data.formula.source import Covariate, Source
from mixedsparse.data.relations import Relation
from mixedsparse.data.sources.parquet import Stamp
from mixedsparse.data.sources.remote import RemoteSource
from mixedsparse.ground.progress import Iteration

__all__ = ["RECORDS"]


def _random_term(fields: Fields) -> RandomTerm:
    if are_here(fields["codes"]):
        return RandomTerm(**fields)
    return RandomTerm.without_rows(fields["group"], fields["columns"], fields["levels"], fields.get("precision"))


def _sparse_columns(fields: Fields) -> SparseColumns:
    return SparseColumns((fields["data"], fields["indices"], fields["indptr"]), shape=fields["shape"])


def _problem(fields: Fields) -> Problem:
    return Problem(theta_layout=ThetaLayout.of(fields["terms"]), **fields)


def _transform(fields: Fields) -> Transform:
    facts = fields.pop("trained")
    return Transform(**fields, spec=spec_of(fields["side"].formula, facts))


def _engine_facts(pls: Pls) -> Fields:
    engine: Any = pls.made if pls.engine is None else pls.engine
    engine = getattr(engine, "engine", engine)
    name = getattr(engine, "name", "split")
    probes: Mapping[str, Any] | None = None
    if name == "iterative":
        probes = getattr(engine, "drawn", None) or {"seed": engine.probes.seed, "batches": engine.probes.batches}
    return {"method": name, "probes": probes}


def _pls_facts(pls: Pls) -> Fields:
    return {"factors": pls.lams} | _engine_facts(pls)


# Tag -> class and fields.
RECORDS: Mapping[str, Record] = {
    # The formula and how it codes the data.
    "expression": record(Expression, "label code alias"),
    "atom": record(Atom, "label code alias"),
    "side": record(
        Side,
        "text label names",
        build=lambda fields: parse_side(**fields),
        rebuilt=("formula", "aliases", "bare", "plain"),
    ),
    "joint": record(Joint, "kind atoms weights scale same"),
    "bar": record(ParsedBar, "effects groups uncorrelated text kind joint"),
    "parsed formula": record(ParsedFormula, "formula names outer response fixed bars offsets"),
    "contrast": record(Contrast, "kind rows levels names base about"),
    "hypotheses": record(Hypotheses, "names weights"),
    "coding": record(Coding, "levels contrast ordered"),
    "recipe": record(Recipe, "side codings names terms products"),
    "transform": record(
        Transform,
        "side codings names terms env",
        more=lambda encoder: {"trained": spec_facts(encoder.spec)},
        build=_transform,
        rebuilt=("spec",),
    ),
    "grouping": record(Grouping, "name atoms atom_levels keys levels"),
    "joint grouping": record(JointGrouping, "joint levels"),
    "term encoding": record(TermEncoding, "encoder column grouping"),
    "encoding": record(Encoding, "parsed fixed terms offset_column env sorts outcome"),
    "outcome": record(Outcome, "kind levels prior"),
    "sort": Record(Sort, (), more=lambda sort: {"name": sort.name}, build=lambda fields: Sort[fields["name"]]),
    # The data.
    "relationship": relations.RELATIONSHIP,
    "pedigree relationship": relations.PEDIGREE,
    "relation": record(Relation, "levels relationship"),
    "random term": record(RandomTerm, "group codes z columns levels rows covariance precision", build=_random_term),
    "covariate": record(Covariate, "mean low high binary"),
    "source": record(Source, "columns index weights offset contrasts env relations"),
    "remote source": record(
        RemoteSource,
        "summaries weights offset contrasts env location fingerprint binary stamps",
        rebuilt=("counted",),
    ),
    "stamp": record(Stamp, "path size modified number footer"),
    "plain sums": record(PlainSums, "x_root z_moments quantiles trials"),
    "design": record(
        Design,
        "formula response y X x_names x_terms terms weights offset index nmissing missing encoding source plain trials "
        "residual",
        rebuilt=("patterns",),
    ),
    # The problem.
    "fixed basis": record(FixedBasis, "kept q residual root shift log_det has_constant alias"),
    "block layout": record(BlockLayout, "widths n_levels block row col to_block term_block term_start whiten"),
    "sparse columns": record(SparseColumns, "data indices indptr shape", build=_sparse_columns),
    "implicit basis": record(ImplicitBasis, "columns root constant"),
    "pairs": record(Pairs, "indptr indices data n_columns"),
    "problem": record(
        Problem,
        "n terms order basis layout grams pairs Zxy xy sum_log_weights root_weights origin",
        build=_problem,
        rebuilt=("theta_layout", "whitener", "correlated", "apart"),
    ),
    # The fit.
    "derivatives": record(Derivatives, "gradient hessian kind known", rebuilt=("in_entries",)),
    "step": record(Step, "move length predicted limited lowest scaled_gradient"),
    "stop": Record(Stop, (), more=lambda stop: {"name": stop.name}, build=lambda fields: Stop[fields["name"]]),
    "iteration": record(Iteration, "number nfev criterion gradient step"),
    "pls": record(
        Pls,
        "criterion gamma K pwrss Hx zeta modes reml losses lossy",
        more=_pls_facts,
        rebuilt=("lams", "made", "engine"),
    ),
    "search": record(
        Search, "theta pls derivatives step stop nfev nit seconds path noise starts agreed lower_at_zero phi residual"
    ),
    "certificate": record(
        Certificate,
        "scaled_gradient smallest_eigenvalue hessian boundary verdict message unidentified noise starts agreed "
        "unbounded",
    ),
    "monte carlo": record(
        MonteCarlo,
        "theta_error beta_error sigma2_error criterion_error share wanted probes seed solves cg_iterations",
    ),
    "component": record(Component, "entries residual names reason held"),
    "unidentified": record(Unidentified, "components beta cov_beta"),
    "fit": record(
        Fit,
        "reml theta templates beta cov_beta sigma2 modes criterion search certificate monte_carlo unidentified "
        "residual",
    ),
    **structures.RECORDS,
    **residuals.RECORDS,
    **generalized.RECORDS,
}

"""A model: a design, its least-squares problem, and the engines for it. Fitting never changes a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.choose.engines import Engines
from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.likelihood.laplace.collapse import collapses
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.sparse_columns import is_sparse
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.data.families import DOMAINS
from mixedsparse.data.formula.pseudo_codings import write_codings
from mixedsparse.data.sizes import checked_sizes
from mixedsparse.data.sources.opening import is_source
from mixedsparse.fitted.objective import CriterionMixin
from mixedsparse.fitted.refusals import check_estimable
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.progress import CountOption

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.core.likelihood.interface import Engine
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.core.residual.interface import Residual
    from mixedsparse.data.formula.design import Design

__all__ = ["Model", "read", "read_design", "response_of", "whitened_model"]


# Of a wide X: arrays of the size of X'X, and of Z'X, that a fit holds at once.
_SQUARES, _SIDES = 8, 5


class Model(CriterionMixin):
    """Design, problem and engines, whatever they were made from.

    Attributes
    ----------
    design : Design
        Response, columns, terms and names.
    problem : Problem
        Their cross-products.
    """

    def __init__(self, design: Design, problem: Problem, engines: Engines | None = None) -> None:
        self.design, self.problem = design, problem
        self._engines = Engines(problem) if engines is None else engines

    @classmethod
    def of_design(cls, design: Design, problem: Problem | None = None, engines: Engines | None = None) -> Self:
        """Make the model of a design that is made already: the way around formula and data for every subclass.

        Parameters
        ----------
        design : Design
        problem : Problem, optional
            Its cross-products where they are known, with nothing left to check; made from the rows otherwise.
        engines : Engines, optional
            Those of the problem that are there already.

        Raises
        ------
        DataError
            The rows cannot support the model.
        """
        model = cls.__new__(cls)  # constructors of subclasses read formulas
        Model.__init__(model, design, checked_problem(design) if problem is None else problem, engines)
        return model

    @property
    def residual(self) -> Residual | None:
        """Covariance of the residuals as a function of parameters; None where they are independent of one variance."""
        return None if self.design.residual is None else self.design.residual.structure

    @property
    def white(self) -> Problem:
        """The problem with independent residuals of one variance that `problem` was made from, or itself."""
        return self.problem if self.problem.origin is None else self.problem.origin

    def __getstate__(self) -> dict[str, Any]:
        """State without the engines, which hold factors of a foreign library."""
        return {**self.__dict__, "_engines": self._engines.again()}

    @property
    def formula(self) -> str:
        """Formula as given (made up for a model from arrays)."""
        return self.design.formula

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Columns of X left out because they are linear combinations of earlier ones."""
        kept = set(self.problem.basis.kept.tolist())
        return tuple(name for i, name in enumerate(self.design.x_names) if i not in kept)

    @property
    def engines(self) -> Engines:
        """Engines made so far, and what a fit was foreseen to cost."""
        return self._engines

    def engine(self, backend: str = "auto", method: str = "direct") -> Engine:
        """Return the engine of this model for `backend` and `method`, analysed once and kept."""
        return self._engines(backend, method)


def read(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    relations: Mapping[str, Any] | None = None,
    env: Mapping[str, Any],
    progress: CountOption = None,
    residual: str | None = None,
    dispersion: str | None = None,
) -> tuple[Design, Problem]:
    """Design and problem of a formula and its data, in memory or in a source; see `mixedsparse.LinearMixedModel`."""
    formula, contrasts = write_codings(formula, contrasts)
    if is_source(data):
        if residual is not None or dispersion is not None or relations:
            raise DataError(
                "residual=, dispersion= and relations= need rows in memory, and a source gives sums over levels only: "
                "read the columns of the model into a data frame."
            )
        from mixedsparse.data.sources.design import aggregate

        found = aggregate(
            formula, data, weights=weights, offset=offset, contrasts=contrasts, env=env, progress=progress
        )
        check_estimable(found.problem, found.design, found.sizes)
        return found.design, found.problem
    from mixedsparse.data.formula.design import make_design

    design = make_design(
        formula,
        data,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        env=env,
        residual=residual,
        dispersion=dispersion,
        relations=relations,
    )
    return design, checked_problem(design)


def read_design(formula: str, data: Any, family: Family, given: Mapping[str, Any]) -> Design:
    """Design of a formula and its data, in memory or in a source; `given` are the other arguments of the call."""
    domain = DOMAINS[family.name]
    formula, contrasts = write_codings(formula, given.get("contrasts"))
    given = {**given, "contrasts": contrasts}
    if is_source(data):
        from mixedsparse.data.sources.generalized import read_generalized

        return read_generalized(formula, data, domain, collapses(family), **given)
    from mixedsparse.data.formula.design import make_design

    return make_design(formula, data, domain=domain, **given)


def checked_problem(design: Design) -> Problem:
    """Least-squares problem of a design with rows, once they are known to support the model."""
    sizes = checked_sizes(design)
    if is_sparse(design.X):
        _check_room(design)
    problem = make_problem(response_of(design), design.X, design.terms, design.weights)
    problem = joined_by(problem, None if design.residual is None else design.residual.structure)
    check_estimable(problem, design, sizes)
    return problem


def _check_room(design: Design) -> None:
    """Refuse a wide X whose cross-products with itself and with random effects do not fit into memory."""
    columns, effects = design.X.shape[1], sum(term.n_levels * term.k for term in design.terms)
    needed = 8.0 * columns * (_SQUARES * columns + _SIDES * effects)
    what = f"Fitting {columns:,} coefficients beside {effects:,} random effects"
    check_memory(needed, what, "make the widest factor of the fixed part random, as in '(1 | factor)'")


def response_of(design: Design) -> np.ndarray:
    """Response less the offset, (n,)."""
    return design.y if design.offset is None else design.y - design.offset


def whitened_model(model: Model, engine: Engine) -> Model:
    """Return the model whose rows are whitened, with the `engine` for them; see `core.fitting.residual`."""
    engines = model._engines.again(engine.problem)
    engines.made["auto"] = engine
    return model.of_design(model.design, engine.problem, engines)

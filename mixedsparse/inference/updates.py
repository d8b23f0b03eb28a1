"""The same model with some of its parts changed: formula, data, weights, contrasts."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mixedsparse.data.families import DOMAINS
from mixedsparse.data.formula.frames import Table
from mixedsparse.data.formula.updating import updated_formula
from mixedsparse.fitted.generalized import GeneralizedModel
from mixedsparse.fitted.model import read, read_design
from mixedsparse.fitted.origins import count_left_out, origin_of, remember
from mixedsparse.ground.errors import ArgumentTypeError, ColumnError, DataError
from mixedsparse.inference.random_search import contrasts_used

if TYPE_CHECKING:
    from mixedsparse.fitted.model import Model

__all__ = ["trials_given", "updated_generalized", "updated_linear", "updated_model"]


Maker = Callable[[str, Any, Mapping[str, Any], Mapping[str, Any]], "Model"]


def updated_linear(
    model: Model, formula: str | None, data: Any, changes: Mapping[str, Any], env: Mapping[str, Any]
) -> Model:
    """Make a linear `model` anew with another formula, other data, or other arguments; see `updated_model`."""
    source, side = model.design.source, model.design.residual
    kept = {
        "residual": None if side is None else side.residual,
        "dispersion": None if side is None else side.dispersion,
        "relations": getattr(source, "relations", None) or None,
    }

    def make(text: str, rows: Any, arguments: Mapping[str, Any], names: Mapping[str, Any]) -> Model:
        return type(model).of_design(*read(text, rows, env=names, **arguments))

    return updated_model(model, formula, data, kept, changes, env, make)


def updated_generalized(
    model: GeneralizedModel, formula: str | None, data: Any, changes: Mapping[str, Any], env: Mapping[str, Any]
) -> GeneralizedModel:
    """Make a generalized `model` of the same family anew; see `updated_model`."""

    def make(text: str, rows: Any, arguments: Mapping[str, Any], names: Mapping[str, Any]) -> GeneralizedModel:
        return type(model).of_family(read_design(text, rows, model.family, {**arguments, "env": names}), model.family)

    found = updated_model(model, formula, data, {"trials": trials_given(model)}, changes, env, make)
    assert isinstance(found, GeneralizedModel)
    return found


def trials_given(model: GeneralizedModel) -> Any:
    """Trials as they were given, by name if they had one; None where the response has them, or they are 1."""
    encoding = model.design.encoding
    if encoding is None or DOMAINS[model.family.name] != "events":
        return None
    return model.design.trials if encoding.outcome is None else encoding.outcome.prior


def updated_model(
    model: Model,
    formula: str | None,
    data: Any,
    kept: Mapping[str, Any],
    changes: Mapping[str, Any],
    env: Mapping[str, Any],
    make: Maker,
) -> Model:
    """Make `model` anew with another formula, other data, or other arguments; what is not named stays.

    Parameters
    ----------
    model : Model
    formula : str, optional
        Dots stand for what the formula has there.
    data : data frame or source, optional
        The rows of the model by default; where the formula needs columns that it does not keep, the data that it was
        made from, if they are still there.
    kept : dict
        Arguments of the model besides weights, offset and contrasts.
    changes : dict
        Arguments that take the place of its own; None: as they were.
    env : Mapping
        Names of the caller.
    make : callable
        Makes a model of a formula, rows, arguments and names.

    Raises
    ------
    DataError
        The model was made from arrays.
    ColumnError
        A column is nowhere.
    """
    design, source = model.design, model.design.source
    if source is None:
        raise DataError("The model was made from arrays, so that it has no formula to update: make it anew.")
    if not isinstance(formula, str | None):
        raise ArgumentTypeError(f"formula={formula!r} must be text such as '~ . - x', not {type(formula).__name__}.")
    text = model.formula if formula is None else updated_formula(model.formula, formula)
    given = {name: value for name, value in changes.items() if value is not None}
    names = ChainMap(dict(source.env), env)

    def made(rows: Any) -> Model:
        own = {"weights": source.weights, "offset": source.offset, **kept}
        found = make(text, rows, {**own, "contrasts": contrasts_used(source, text, rows, names), **given}, names)
        if isinstance(rows, Table):
            count_left_out(found, design)  # the rows of this fit, which it has left
        remember(found.design, origin_of(design) if data is None else data)
        return found

    if data is not None:
        return made(data)
    if hasattr(source, "location"):
        if source.location is None:
            raise DataError(
                "The rows of this fit are not here: it was read from a table of a database, or saved without them. "
                "Give data=."
            )
        return made(source.location)
    try:
        return made(source.table)
    except ColumnError as err:
        origin = origin_of(design)
        if origin is None:
            raise ColumnError(f"{err} The fit keeps the columns that it uses: give data= for others.") from None
        return made(origin)

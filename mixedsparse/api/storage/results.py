"""Fits to records, and back."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedsparse.api.storage.generalized import completed
from mixedsparse.api.storage.records import RECORDS
from mixedsparse.api.storage.residuals import whitened_again
from mixedsparse.api.storage.tables import pack_table, unpack_table
from mixedsparse.api.storage.values import Packer, Unpacker
from mixedsparse.core.fitting.laplace import GeneralizedFit
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.data.formula.patsy import PATSY
from mixedsparse.data.formula.responses import bind_columns
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.generalized import GeneralizedFitted

if TYPE_CHECKING:
    from mixedsparse.core.fitting.estimates import Fit
    from mixedsparse.core.likelihood.interface import Engine, Factored
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.fitted.generalized import GeneralizedModel
    from mixedsparse.fitted.model import Model

__all__ = ["Models", "fit_of", "packed", "put_together", "unpacked"]


class Models(NamedTuple):
    """Classes of the models that fits of a file are put on."""

    linear: type[Model]
    generalized: type[GeneralizedModel]


_TREE, _ARRAYS = "results.json", "arrays.bin"
# Functions that are given to formulas here and are not of the session: those of `mixedlm`, and that of `glmer`.
_OURS = {f"patsy.{name}": function for name, function in PATSY.items()} | {"response.cbind": bind_columns}
_OUR_NAMES = {id(function): name for name, function in _OURS.items()}
_TAGS = {record.cls: tag for tag, record in RECORDS.items()}


def packed(fitted: Fitted) -> tuple[dict[str, bytes], list[str]]:
    """Members of the archive, and the names of the session that the formula uses.

    Raises
    ------
    StorageError
        The model holds what is not data.
    """
    records: list[dict[str, Any]] = []
    known: dict[int, tuple[Any, int]] = {}  # objects that several fields share are there once

    def one(packer: Packer, value: Any) -> dict[str, Any] | None:
        tag = _TAGS.get(type(value))
        if tag is None:
            return pack_table(packer, value)
        if id(value) not in known:
            fields = {name: packer.pack(field) for name, field in RECORDS[tag].take_apart(value).items()}
            known[id(value)] = value, len(records)
            records.append({"is": tag, **fields})
        return {"~": "record", "at": known[id(value)][1]}

    packer = Packer(_outside_names(fitted), one)
    root = {name: packer.pack(value) for name, value in _root(fitted.design, fitted.problem, fitted.fit).items()}
    tree = {"root": root, "records": records, "arrays": packer.directory}
    return {_TREE: json.dumps(tree).encode(), _ARRAYS: bytes(packer.data)}, sorted(packer.used - _OURS.keys())


def _root(design: Any, problem: Any, fit: Any) -> dict[str, Any]:
    return {"design": design, "problem": problem, "fit": fit}


def unpacked(members: Mapping[str, bytes], session: Mapping[str, Any], models: Models) -> Fitted:
    """Fit of the members of an archive."""
    tree = json.loads(members[_TREE])
    made: list[Any] = []

    def one(unpacker: Unpacker, value: dict[str, Any]) -> Any:
        if value["~"] == "record":
            return made[value["at"]]
        found = unpack_table(unpacker, value)
        if found is None:
            raise ValueError(f"values of kind {value['~']!r}")
        return found

    unpacker = Unpacker(tree["arrays"], members[_ARRAYS], ChainMap(_OURS, dict(session)), one)
    for record in tree["records"]:
        fields = {name: unpacker.unpack(field) for name, field in record.items() if name != "is"}
        made.append(put_together(record["is"], fields))
    return fit_of(models, **{name: unpacker.unpack(value) for name, value in tree["root"].items()})


def put_together(tag: str, fields: dict[str, Any]) -> Any:
    """Object of a record; what evaluates a criterion knows by which engine, and gets it later."""
    if tag == "pls":
        engine = _Deferred(fields.pop("method"), fields.pop("probes"))
        return Pls(lams=fields.pop("factors"), **fields, engine=engine)  # type: ignore[arg-type]
    if tag == "generalized data":
        fields["engine"] = _Deferred(fields["engine"], None)
    return RECORDS[tag].put_together(fields)


def fit_of(models: Models, design: Any, problem: Any, fit: Fit | GeneralizedFit) -> Fitted:
    """Put a fit together."""
    if isinstance(fit, GeneralizedFit):
        model = models.generalized.of_family(design, fit.family, problem)
        deferred: Any = fit.data.engine
        return GeneralizedFitted(model, completed(model, fit, deferred.of(model)))
    made = models.linear.of_design(design, whitened_again(design, problem, fit))
    engine = fit.search.pls.engine
    assert isinstance(engine, _Deferred)
    pls = replace(fit.search.pls, engine=engine.of(made))
    return Fitted(made, replace(fit, search=replace(fit.search, pls=pls)))


class _Deferred:
    """Stands for the engine of a fit until a factor is needed: reading a file analyses nothing."""

    def __init__(self, name: str, drawn: Mapping[str, int] | None, model: Model | None = None) -> None:
        if name not in ("split", "cholmod", "iterative", "empty"):
            raise ValueError(f"an engine called {name!r}")
        self.name, self.drawn, self._model = name, drawn, model
        self._engine: Engine | None = None

    def of(self, model: Model) -> Engine:
        """Return the one of `model`."""
        return _Deferred(self.name, self.drawn, model)  # type: ignore[return-value]

    def factorize(self, lams: Sequence[np.ndarray]) -> Factored:
        """Make the engine, and factorise."""
        return self._analysed().factorize(lams)

    def with_problem(self, problem: Problem) -> Engine:
        """Make the engine, and take other numbers on."""
        return self._analysed().with_problem(problem)

    @property
    def problem(self) -> Problem:
        """Of the model."""
        assert self._model is not None
        return self._model.problem

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation."""
        return self._analysed().work

    def _analysed(self) -> Engine:
        assert self._model is not None
        if self._engine is None:
            self._engine = self._made(self._model)
        return self._engine

    def _made(self, model: Model) -> Engine:
        if self.name != "iterative":
            return model.engine("auto" if self.name == "empty" else self.name)
        engine: Any = model.engine(method="iterative")
        engine = engine.renewed(int((self.drawn or {}).get("seed", 0)))
        engine.probes.batches = int((self.drawn or {}).get("batches", 1))
        return engine  # type: ignore[no-any-return]


def _outside_names(fitted: Fitted) -> dict[int, str]:
    """Functions and modules of the user's session that the formula uses: id -> name there."""
    design = fitted.design
    sessions = [part.env for part in (design.encoding, design.source) if part is not None]
    return {
        id(value): _OUR_NAMES.get(id(value), name)
        for env in sessions
        for name, value in env.items()
        if callable(value) or isinstance(value, ModuleType)
    }

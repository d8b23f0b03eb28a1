"""Fits to records, and back."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.api.storage.records import RECORDS
from mixedsparse.api.storage.tables import pack_table, unpack_table
from mixedsparse.api.storage.values import Packer, Unpacker
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.data.formula.patsy import PATSY
from mixedsparse.fitted.fitted import Fitted

if TYPE_CHECKING:
    from mixedsparse.core.fitting.fit import Fit
    from mixedsparse.core.likelihood.interface import Engine, Factor
    from mixedsparse.fitted.model import Model

__all__ = ["fit_of", "packed", "put_together", "unpacked"]

_TREE, _ARRAYS = "results.json", "arrays.bin"
# Before the names of functions that `mixedsparse.mixedlm` gives to formulas: they are not of the session.
_PATSY = "patsy."
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
    return {_TREE: json.dumps(tree).encode(), _ARRAYS: bytes(packer.data)}, sorted(
        n for n in packer.used if not n.startswith(_PATSY)
    )


def _root(design: Any, problem: Any, fit: Any) -> dict[str, Any]:
    return {"design": design, "problem": problem, "fit": fit}


def unpacked(members: Mapping[str, bytes], session: Mapping[str, Any], model: type[Model]) -> Fitted:
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

    names = ChainMap({f"{_PATSY}{name}": function for name, function in PATSY.items()}, dict(session))
    unpacker = Unpacker(tree["arrays"], members[_ARRAYS], names, one)
    for record in tree["records"]:
        fields = {name: unpacker.unpack(field) for name, field in record.items() if name != "is"}
        made.append(put_together(record["is"], fields))
    return fit_of(model, **{name: unpacker.unpack(value) for name, value in tree["root"].items()})


def put_together(tag: str, fields: dict[str, Any]) -> Any:
    """Object of a record; what evaluates a criterion knows by which engine, and gets it later."""
    if tag != "pls":
        return RECORDS[tag].put_together(fields)
    engine = _Deferred(fields.pop("method"), fields.pop("probes"))
    return Pls(**fields, engine=engine)  # type: ignore[arg-type]


def fit_of(model: type[Model], design: Any, problem: Any, fit: Fit) -> Fitted:
    """Put a fit together."""
    made = model.of_design(design, problem)
    engine = fit.search.pls.engine
    assert isinstance(engine, _Deferred)
    pls = replace(fit.search.pls, engine=engine.of(made))
    return Fitted(made, replace(fit, search=replace(fit.search, pls=pls)))


class _Deferred:
    """Stands for the engine of a fit until a factor is needed: reading a file analyses nothing."""

    def __init__(self, name: str, drawn: Mapping[str, int] | None, model: Model | None = None) -> None:
        if name not in ("split", "cholmod", "iterative"):
            raise ValueError(f"an engine called {name!r}")
        self.name, self.drawn, self._model = name, drawn, model
        self._engine: Engine | None = None

    def of(self, model: Model) -> Engine:
        """Return the one of `model`."""
        return _Deferred(self.name, self.drawn, model)  # type: ignore[return-value]

    def factorize(self, factors: Sequence[np.ndarray]) -> Factor:
        """Make the engine, and factorise."""
        assert self._model is not None
        if self._engine is None:
            self._engine = self._made(self._model)
        return self._engine.factorize(factors)

    def _made(self, model: Model) -> Engine:
        if self.name != "iterative":
            return model.engine(self.name)
        engine: Any = model.engine(method="iterative")
        engine = engine.renewed(int((self.drawn or {}).get("seed", 0)))
        engine.probes.batches = int((self.drawn or {}).get("batches", 1))
        return engine  # type: ignore[no-any-return]


def _outside_names(fitted: Fitted) -> dict[int, str]:
    """Functions and modules of the user's session that the formula uses: id -> name there."""
    design = fitted.design
    sessions = [part.env for part in (design.encoding, design.source) if part is not None]
    return {
        id(value): f"{_PATSY}{name}" if value is PATSY.get(name) else name
        for env in sessions
        for name, value in env.items()
        if callable(value) or isinstance(value, ModuleType)
    }

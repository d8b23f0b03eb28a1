"""Files of version 1, which were pickles: read as data, without any code that a file may name.

Objects of mixedsparse, formulaic and scipy come out as inert stand-ins that keep what the pickle says of them; of
NumPy, pandas, pyarrow and the standard library only what columns and arrays are made of is let in, name by name. Then
the stand-ins become the records of version 2. So no class need stay where it was in 0.1.0.
"""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixedsparse.api.storage.records import RECORDS
from mixedsparse.api.storage.results import Models, fit_of, put_together
from mixedsparse.api.storage.values import find
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.ground.errors import StorageError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["read_pickle"]

_INERT = ("mixedsparse", "formulaic", "scipy")

# Modules, and what files may take of them.
_ALLOWED = {
    "builtins": "bytearray complex frozenset range set slice",
    "collections": "OrderedDict",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "pandas": "NA",
    "pandas.core.indexes.base": "_new_Index",
    "pandas.core.indexes.datetimes": "_new_DatetimeIndex",
    "pandas.core.indexes.timedeltas": "_new_TimedeltaIndex",
    "pandas.core.indexes.period": "_new_PeriodIndex",
    "pandas.core.indexes.interval": "_new_IntervalIndex",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.missing": "_unpickle_NAType",
    "pandas._libs.tslibs.nattype": "_nat_unpickle",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
    "pandas._libs.tslibs.timedeltas": "_timedelta_unpickle",
    "pandas._libs.tslibs.period": "_unpickle_period",
    "pyarrow.lib": "_restore_array chunked_array py_buffer type_for_alias ChunkedArray",
}
_NAMES = {(module, name) for module, names in _ALLOWED.items() for name in names.split()}
# Classes of pandas, whose modules have moved between its versions.
_PANDAS_CLASSES = {
    "pandas": (
        "Categorical CategoricalDtype CategoricalIndex DataFrame DatetimeIndex DatetimeTZDtype Index Interval "
        "IntervalDtype IntervalIndex MultiIndex Period PeriodDtype PeriodIndex RangeIndex Series StringDtype Timedelta "
        "TimedeltaIndex Timestamp ArrowDtype BooleanDtype Float32Dtype Float64Dtype Int8Dtype Int16Dtype Int32Dtype "
        "Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype"
    ),
    "pandas.arrays": (
        "ArrowExtensionArray ArrowStringArray BooleanArray DatetimeArray FloatingArray IntegerArray IntervalArray "
        "NumpyExtensionArray PeriodArray StringArray TimedeltaArray"
    ),
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pandas.tseries.offsets": "Day Hour Minute Second Milli Micro Nano BusinessDay Week MonthEnd MonthBegin "
    "QuarterEnd QuarterBegin YearEnd YearBegin",
}
_PANDAS_NAMES = {name: module for module, names in _PANDAS_CLASSES.items() for name in names.split()}

# Classes of 0.1.0 -> tags of records.
_TAGS = {
    "Expression": "expression",
    "Atom": "atom",
    "Side": "side",
    "ParsedBar": "bar",
    "ParsedFormula": "parsed formula",
    "Contrast": "contrast",
    "Coding": "coding",
    "Recipe": "recipe",
    "Transform": "transform",
    "Grouping": "grouping",
    "TermEncoding": "term encoding",
    "Encoding": "encoding",
    "RandomTerm": "random term",
    "Covariate": "covariate",
    "Source": "source",
    "RemoteSource": "remote source",
    "PlainSums": "plain sums",
    "Design": "design",
    "FixedBasis": "fixed basis",
    "BlockLayout": "block layout",
    "Pairs": "pairs",
    "Problem": "problem",
    "Derivatives": "derivatives",
    "Step": "step",
    "Stop": "stop",
    "Iteration": "iteration",
    "Pls": "pls",
    "Search": "search",
    "Certificate": "certificate",
    "MonteCarlo": "monte carlo",
    "Fit": "fit",
}
# Fields of the classes of 0.1.0 whose pickles list values without names.
_SLOTS = {
    "Expression": "label code alias",
    "Atom": "label code alias",
    "ParsedBar": "effects groups uncorrelated text",
    "Contrast": "kind rows",
    "Coding": "levels contrast",
    "Grouping": "name atoms atom_levels keys levels",
    "RandomTerm": "group codes z columns levels",
    "ThetaLayout": "widths term row col",
    "Covariate": "mean low high",
    "PlainSums": "x_root z_moments",
    "FixedBasis": "kept q residual root shift log_det has_constant alias",
    "Pairs": "indptr indices data n_columns",
    "Derivatives": "gradient hessian kind known",
    "Step": "move length predicted limited lowest scaled_gradient",
    "Iteration": "number nfev criterion gradient step",
    "Search": "theta pls derivatives step stop nfev nit seconds path",
    "Certificate": "scaled_gradient smallest_eigenvalue hessian boundary verdict message",
    "MonteCarlo": ("theta_error beta_error sigma2_error criterion_error share wanted probes seed solves cg_iterations"),
    "Fit": "reml theta templates beta cov_beta sigma2 modes criterion search certificate monte_carlo",
}
_STOPS = {
    "converged": "CONVERGED",
    "the limit on evaluations was reached": "MAX_EVALS",
    "no step lowers the criterion": "NO_PROGRESS",
    "the derivatives are not finite": "NOT_FINITE",
    "it was interrupted": "INTERRUPTED",
}


class _StandIn:
    """What a pickle says of an object: what its class was called with, and its state."""

    kind = ""

    def __new__(cls, *arguments: Any, **_: Any) -> _StandIn:
        made = object.__new__(cls)
        made.__dict__.update(arguments=arguments, fields={})
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take any arguments: `__new__` keeps them."""

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.__dict__["fields"].update(part)
            elif isinstance(part, list):
                self.__dict__["fields"].update(zip(_SLOTS.get(self.kind, "").split(), part, strict=False))

    def extend(self, items: Any) -> None:
        """Take items of a list, as pickle gives them."""
        self.__dict__["fields"].setdefault("items", []).extend(items)

    def append(self, item: Any) -> None:
        """Take an item of a list."""
        self.extend([item])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__["fields"].setdefault("items", []).append((key, value))


class _Reader(pickle.Unpickler):
    """Unpickler that lets in what is allowed, and makes stand-ins of what was ours."""

    def __init__(self, data: bytes, session: Mapping[str, Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._session = session

    def persistent_load(self, name: Any) -> Any:
        return find(self._session, str(name))

    def find_class(self, module: str, name: str) -> Any:
        if name == "ELSEWHERE":
            return ELSEWHERE
        if module.split(".")[0] in _INERT:
            return type("StandIn", (_StandIn,), {"kind": name})
        if module.split(".")[0] == "pandas":
            module = _PANDAS_NAMES.get(name, module)
        if (module, name) not in _NAMES and module != _PANDAS_NAMES.get(name):
            raise StorageError(
                f"The file refers to {module}.{name}, which no file of mixedsparse does: it is damaged or was tampered "
                "with, and is not read."
            )
        return getattr(importlib.import_module(module), name)


def read_pickle(members: Mapping[str, bytes], session: Mapping[str, Any], models: Models) -> Fitted:
    """Fit of a file of version 1."""
    try:
        root = _Reader(members["results.pickle"], session).load()
    except (pickle.UnpicklingError, EOFError) as err:
        raise ValueError(str(err)) from err
    if getattr(root, "kind", "") != "MixedResults":
        raise ValueError("it holds no results")
    old, fit = root.arguments
    convert = _Converter()
    parts = {"design": old.fields["design"], "problem": old.fields["problem"], "fit": fit}
    return fit_of(models, **{name: convert(value) for name, value in parts.items()})


class _Converter:
    """Stand-ins to objects, each once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, (dict, list, tuple, _StandIn)):
            if id(value) not in self._known:
                self._known[id(value)] = value, self._converted(value)
            return self._known[id(value)][1]
        return value

    def _converted(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self(item) for item in value)
        if value.kind == "Sentinel":
            return "UNSET"
        tag = _TAGS[value.kind]
        if tag == "stop":
            return put_together(tag, {"name": _STOPS[value.arguments[0]]})
        known = {*RECORDS[tag].fields}
        fields = {name: self(field) for name, field in value.fields.items() if name in known}
        if tag == "transform":
            fields["trained"] = self._trained(value.fields["spec"])
        if tag == "pls":
            fields |= {"factors": self(value.fields["factors"])} | _engine_facts(value.fields)
        return put_together(tag, fields)

    def _trained(self, spec: Any) -> dict[str, Any]:
        """Take a spec of formulaic apart, as `spec_facts` does."""
        rows = []
        for row in spec.fields["structure"]:
            _, scopes, columns = row.arguments
            rows.append({"columns": list(columns), "scopes": [self._scope(scope) for scope in scopes]})
        encoders = {
            expr: (kind.arguments[0], self._encoder(state))
            for expr, (kind, state) in spec.fields["encoder_state"].items()
        }
        return {"rows": rows, "transforms": self(spec.fields["transform_state"]), "encoders": encoders}

    @staticmethod
    def _scope(scope: Any) -> tuple[float, list[tuple[str, bool]]]:
        factors = [
            (str(factor.fields["factor"].fields["factor"].fields["expr"]), bool(factor.fields["reduced"]))
            for factor in scope.fields["factors"]
        ]
        return scope.fields["scale"], factors

    def _encoder(self, state: Mapping[str, Any]) -> dict[str, Any]:
        out = {name: value for name, value in state.items() if name != "contrasts"}
        if "contrasts" in state:
            found = state["contrasts"].fields
            own = found["contrasts"]
            values = {name: self(value) for name, value in own.fields.items()}
            out["contrasts"] = {"kind": own.kind, "values": values, "levels": list(found["levels"])}
        return out


def _engine_facts(pls: Mapping[str, Any]) -> dict[str, Any]:
    """By which engine: that of the factor, if that was there."""
    engine = pls["engine"] if pls.get("engine") is not None else pls["made"]
    engine = engine.fields.get("engine", engine)
    if engine.kind.startswith("Krylov"):
        probes = engine.fields["probes"].fields
        return {"method": "iterative", "probes": {"seed": probes["seed"], "batches": probes["batches"]}}
    return {"method": "cholmod" if engine.kind.startswith("Cholmod") else "split", "probes": None}

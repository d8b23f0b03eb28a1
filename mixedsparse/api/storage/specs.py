"""What formulaic remembers of the training data, as names and numbers.

Of a `ModelSpec` the columns of each term, the statistics of stateful transforms (knots, means, recurrences) and the
levels and contrasts of factors are kept; the formula itself is read again from its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixedsparse.ground.errors import StorageError

__all__ = ["spec_facts", "spec_of"]

# formulaic's contrasts -> what each is made of.
_CONTRASTS = {
    "TreatmentContrasts": ("base",),
    "SASContrasts": ("base",),
    "SumContrasts": (),
    "HelmertContrasts": ("reverse", "scale"),
    "DiffContrasts": ("backward",),
    "PolyContrasts": ("scores",),
    "CustomContrasts": ("contrasts", "contrast_names"),
    "PatsyContrasts": ("kind", "argument"),
}
_UNSET = "UNSET"


def spec_facts(spec: Any) -> dict[str, Any]:
    """Take a trained spec apart."""
    rows = [
        {
            "columns": list(row.columns),
            "scopes": [
                (scope.scale, [(factor.factor.expr, bool(factor.reduced)) for factor in scope.factors])
                for scope in row.scoped_terms
            ],
        }
        for row in spec.structure
    ]
    encoders = {expr: (kind_name(kind), _encoder_facts(state)) for expr, (kind, state) in spec.encoder_state.items()}
    return {"rows": rows, "transforms": dict(spec.transform_state), "encoders": encoders}


def kind_name(kind: Any) -> str:
    """Value of a kind of factor."""
    return str(kind.value)


def _encoder_facts(state: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(state)
    if "contrasts" in out:
        out["contrasts"] = _contrast_facts(out["contrasts"])
    return out


def _contrast_facts(found: Any) -> dict[str, Any]:
    kind = type(found.contrasts).__name__
    if kind not in _CONTRASTS:
        raise StorageError(
            f"The formula uses contrasts of your own class {kind}, and code is not stored: give their numbers as "
            "contrasts={'column': array}, or pickle the results."
        )
    values = {name: getattr(found.contrasts, name) for name in _CONTRASTS[kind]}
    values = {name: _UNSET if getattr(v, "name", None) == _UNSET else v for name, v in values.items()}
    return {"kind": kind, "values": values, "levels": list(found.levels)}


def spec_of(formula: Any, facts: Mapping[str, Any]) -> Any:
    """Put a trained spec together for the `formula` of a side."""
    from formulaic import ModelSpec
    from formulaic.materializers.base import EncodedTermStructure
    from formulaic.parser.types import Factor

    terms = list(formula)
    rows = facts["rows"]
    if len(terms) != len(rows):
        raise ValueError(f"{len(rows)} terms were stored, and the formula has {len(terms)} here")
    structure = [
        EncodedTermStructure(term, [_scoped(*scope) for scope in row["scopes"]], list(row["columns"]))
        for term, row in zip(terms, rows, strict=True)
    ]
    encoders = {expr: (Factor.Kind(kind), _encoder(state)) for expr, (kind, state) in facts["encoders"].items()}
    return ModelSpec(
        formula=formula,
        materializer="pandas",
        materializer_params={},
        na_action="ignore",
        output="numpy",
        structure=structure,
        transform_state=dict(facts["transforms"]),
        encoder_state=encoders,
    )


def _scoped(scale: float, factors: Any) -> Any:
    from formulaic.materializers.types import EvaluatedFactor, ScopedFactor, ScopedTerm
    from formulaic.parser.types import Factor

    made = [ScopedFactor(EvaluatedFactor(Factor(expr), values=None), reduced=reduced) for expr, reduced in factors]
    return ScopedTerm(made, scale=scale)


def _encoder(state: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(state)
    if "contrasts" in out:
        out["contrasts"] = _contrasts(**out["contrasts"])
    return out


def _contrasts(kind: str, values: Mapping[str, Any], levels: list[Any]) -> Any:
    from formulaic.transforms import contrasts as known

    from mixedsparse.data.formula.patsy import PatsyContrasts

    if kind not in _CONTRASTS:
        raise ValueError(f"contrasts of kind {kind!r}")
    values = {name.removeprefix("contrast_"): v for name, v in values.items() if not _is_unset(v)}
    of = PatsyContrasts if kind == "PatsyContrasts" else getattr(known, kind)
    return known.ContrastsState(of(**values), levels)


def _is_unset(value: Any) -> bool:
    return isinstance(value, str) and value == _UNSET

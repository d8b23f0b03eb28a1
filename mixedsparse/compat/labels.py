"""The structure of a design that came from formulas: which level is in which group, and patsy's names and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.compat.formulas import FormulaComponent, Translation, quoted
from mixedsparse.compat.structure import Component, Structure, covariance_names
from mixedsparse.errors import FormulaError

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design
    from mixedsparse.formula.encoders import Encoder
    from mixedsparse.formula.grouping import Grouping

__all__ = ["formula_structure"]


def formula_structure(design: Design, translation: Translation, name: str, only: Any) -> Structure:
    """Structure of the design of a translated formula.

    Parameters
    ----------
    design : Design
    translation : Translation
    name : str
        Name of the groups.
    only : object
        Label of the group when there is one.
    """
    encodings, terms = design.encoding.terms, design.terms
    if len(design.encoding.parsed.bars) != translation.n_bars:
        raise FormulaError(
            "The formula has random-effects terms in bars: give them as re_formula and vc_formula, or call "
            "mixedsparse.lmer with bars alone."
        )
    if translation.group is None:
        groups, codes = np.array([only]), np.zeros(len(design.y), dtype=np.intp)
    else:
        level, groups = _atom(encodings[0].grouping, translation.group)
        codes = level[terms[0].codes]
    components = tuple(
        _component(component, encodings[i].grouping, terms[i].k, translation.group)
        for i, component in enumerate(translation.components, start=int(translation.has_re))
    )
    re_names = tuple(n.replace("Intercept", name) for n in terms[0].columns) if translation.has_re else ()
    return Structure(
        groups=groups,
        sizes=np.bincount(codes, minlength=len(groups)),
        re_names=re_names,
        re_params=covariance_names(re_names),
        components=components,
        fe_order=patsy_order(design.encoding.fixed),
    )


def _component(component: FormulaComponent, grouping: Grouping, k: int, group: str | None) -> Component:
    if k > 1:
        raise FormulaError(
            f"vc_formula[{component.name!r}] = {component.text!r} gives {k} effects of one row a common variance, "
            "which is not supported: write C(...) around a factor, or one component per column."
        )
    n = len(grouping.levels)
    own = {text: _atom(grouping, text) for text in component.groupings}
    labels = [component.label({t: levels[codes[i]] for t, (codes, levels) in own.items()}) for i in range(n)]
    codes = np.zeros(n, dtype=np.intp) if group is None else _atom(grouping, group)[0]
    return Component(component.name, codes, np.array(labels, dtype=object))


def _atom(grouping: Grouping, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Code of one factor of a grouping at each of its levels, and the factor's own levels."""
    position = [quoted(atom.label) if atom.alias else atom.label for atom in grouping.atoms].index(text)
    levels = grouping.atom_levels[position]
    if grouping.keys is None:
        return np.arange(len(levels)), levels
    return np.unravel_index(grouping.keys, [len(lev) for lev in grouping.atom_levels])[position], levels


def patsy_order(encoder: Encoder) -> np.ndarray:
    """Columns (p,) of the fixed part in patsy's order.

    patsy puts terms with the same numeric factors together, those without any first, and orders each set by degree;
    formulaic orders all terms by degree. Source: patsy's manual, "How formulas work".
    """
    from formulaic import Formula

    typed = {repr(term): i for i, term in enumerate(Formula(encoder.side.text, _ordering="none"))}
    spans = list(encoder.terms.values())
    kinds = [_numeric_factors(term, encoder) for term in encoder.side.formula]
    places = [typed[repr(term)] for term in encoder.side.formula]
    first = {kind: min(p for p, k in zip(places, kinds, strict=True) if k == kind) for kind in kinds}
    first[frozenset()] = -1
    degrees = [term.degree for term in encoder.side.formula]
    order = sorted(range(len(spans)), key=lambda i: (first[kinds[i]], degrees[i], places[i]))
    return np.concatenate([np.arange(spans[i].start, spans[i].stop) for i in order] or [np.empty(0, dtype=np.intp)])


def _numeric_factors(term: Any, encoder: Encoder) -> frozenset[str]:
    """Expressions of the factors of `term` that are numbers."""
    factors = (factor for factor in term.factors if factor.eval_method.value != "literal")
    return frozenset(factor.expr for factor in factors if not encoder.is_factor(factor.expr))

"""Names and arguments that users bring from other packages and that this one does not have: what to use instead."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mixedsparse.ground.checks import KINDS
from mixedsparse.ground.errors import AbsentError, ArgumentError
from mixedsparse.ground.spellings import ARGUMENTS, ATTRIBUTES, NAMES

__all__ = ["Answers", "absent_name", "explains_arguments"]

P = ParamSpec("P")
R = TypeVar("R")
_VARIABLE = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def explains_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` answer arguments that it does not take, or whose type it does not, with an ArgumentError.

    Its signature stays. Which types an argument takes says `mixedsparse.ground.checks.KINDS`.
    """
    parameters = [p for name, p in inspect.signature(function).parameters.items() if name not in ("self", "cls")]
    name = function.__qualname__.removesuffix(".__init__")
    label = name.split(".")[-1] if "Mixin." in name else name
    offset = len(inspect.signature(function).parameters) - len(parameters)
    known = dict.fromkeys(p.name for p in parameters)
    places = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
    any_keyword, any_place = (any(p.kind == kind for p in parameters) for kind in _VARIABLE)
    needed = frozenset(p.name for p in parameters if p.default is p.empty and p.kind not in _VARIABLE)
    kinds = {}
    for parameter in parameters:
        keys = (f"{name}.{parameter.name}", f"{name.split('.')[-1]}.{parameter.name}", parameter.name)
        kind = next((KINDS[key] for key in keys if key in KINDS), None)
        if kind is not None:
            kinds[parameter.name] = kind, parameter.default
    instead = {key.removeprefix(f"{label.split('.')[-1]}."): text for key, text in ARGUMENTS.items()}
    instead |= {key.removeprefix(f"{label}."): text for key, text in ARGUMENTS.items() if key.startswith(f"{label}.")}
    others = f"use one of {', '.join(sorted(known))}" if known else "it takes none"

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not any_keyword and not kwargs.keys() <= known.keys():
            argument = next(name for name in kwargs if name not in known)
            raise ArgumentError(_message(f"{label} has no argument", argument, instead, known, others))
        if not any_place and len(args) - offset > len(places):
            raise ArgumentError(f"{label} takes {len(places)} arguments without a name, not {len(args) - offset}.")
        given = dict(zip(places, args[offset:], strict=False)) | kwargs
        for argument, value in given.items():
            if argument in kinds:
                kind, default = kinds[argument]
                if value is not default:
                    kind.check(argument, value)
        if not needed <= given.keys():
            absent = ", ".join(f"{argument}=" for argument in places if argument in needed and argument not in given)
            raise ArgumentError(f"{label} needs {absent or ', '.join(sorted(needed - given.keys()))}.")
        return function(*args, **kwargs)

    return checked


class Answers:
    """Base of public classes: what is not there, attributes and arguments, is answered with what there is.

    All public methods that a subclass defines check their arguments; see `explains_arguments`.
    """

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            if name.startswith("_"):
                continue
            if isinstance(value, classmethod):
                setattr(cls, name, classmethod(explains_arguments(value.__func__)))
            elif isinstance(value, FunctionType) and not hasattr(value, "__wrapped__"):
                setattr(cls, name, explains_arguments(value))

    if not TYPE_CHECKING:  # to a type checker there are only the attributes that there are

        def __getattr__(self, name):
            """Say of an attribute that is not there what to use instead."""
            cls = type(self)
            if hasattr(cls, name):  # a property that failed: its own error says why
                return object.__getattribute__(self, name)
            raise absent_attribute(cls, name)


def absent_attribute(cls: type, name: str) -> AbsentError:
    """Build the error for an attribute that objects of `cls` do not have."""
    if name.startswith("_"):
        return AbsentError(f"{cls.__name__} has no {name!r}.")
    present = [attribute for attribute in dir(cls) if not attribute.startswith("_")]
    instead = next((ATTRIBUTES[base.__name__] for base in cls.__mro__ if base.__name__ in ATTRIBUTES), {})
    folded = {key.replace(".", "_").lower(): text for key, text in instead.items()}
    key = name.replace(".", "_").lower()
    return AbsentError(
        _message(
            f"{cls.__name__} has no", name, {name: folded[key]} if key in folded else {}, present, _listed(present)
        )
    )


def _listed(present: Iterable[str]) -> str:
    return f"it has {', '.join(present)}"


def absent_name(name: str, present: Iterable[str]) -> AbsentError:
    """Build the error for a `name` that is not among those `present` in the package."""
    return AbsentError(
        _message("mixedsparse has no", name, NAMES, present, "see mixedsparse.__all__ for what there is")
    )


def _message(what: str, name: str, instead: dict[str, str], known: Iterable[str], others: str) -> str:
    """Say that there is no `name`, and what to do: as told in `instead`, the nearest of those `known`, or `others`."""
    near = difflib.get_close_matches(name, known, n=1)
    if name not in instead and near:
        return f"{what} {name!r}. Did you mean {near[0]!r}?"
    return f"{what} {name!r}: {instead.get(name, others)}."

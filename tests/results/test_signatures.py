"""Methods of results state the signature of the function that they call: no argument is lost or means another thing."""

import ast
import inspect
import re
import textwrap
from importlib import import_module

import pytest

import mixedsparse as ms
from mixedsparse.api.generalized.plots import GeneralizedPlots
from mixedsparse.api.results.plots import MixedPlots
from mixedsparse.report.latex import to_latex


def _delegations():
    """Every public method that imports a function and calls it with the fit first: class, name."""
    for cls in (ms.MixedResults, ms.GeneralizedResults, MixedPlots, GeneralizedPlots):
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and _call(method) is not None:
                yield pytest.param(method, id=f"{cls.__name__}.{name}")


def _call(method):
    """Function that a method calls with ``self._fitted``, and the call; None if it calls none."""
    body = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(method)))).body[0]
    imported = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(body)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(body):
        call = node.value if isinstance(node, ast.Return) else None
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.args[0]) == "self._fitted":
            module, name = imported.get(ast.unparse(call.func), (None, ""))
            return None if module is None else (getattr(import_module(module), name), call)
    return None


@pytest.mark.parametrize("method", list(_delegations()))
def test_methods_hand_over_what_they_take(method):
    function, call = _call(method)
    own = dict(list(inspect.signature(method).parameters.items())[1:])
    theirs = dict(list(inspect.signature(function).parameters.items())[1:])
    bound = dict(zip(theirs, (ast.unparse(argument) for argument in call.args[1:]), strict=False))
    bound |= {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    for name, parameter in own.items():
        holders = [other for other, value in bound.items() if value == name]
        if name not in theirs and not holders:
            continue  # taken by another branch of the method, as cooks_distance(group) is
        assert name in bound, f"{name} is not handed over"
        # `ddf or "normal"` is its own default, and `with_information(ddf, information)` says more of it.
        assert name in re.findall(r"\w+", bound[name]), f"{name} gets {bound[name]}"
        # Which degrees of freedom are usual hangs on the kind of fit.
        if bound[name] == name != "ddf" and theirs[name].default is not inspect.Parameter.empty:
            assert theirs[name].default == parameter.default, name


def test_the_check_sees_methods_of_every_kind():
    names = {param.id for param in _delegations()}
    assert {"MixedResults.predict", "MixedResults.bootstrap", "GeneralizedResults.predict", "MixedPlots.qq"} <= names
    assert len(names) > 35
    function, call = _call(ms.MixedResults.to_latex)
    assert function is to_latex
    assert len(call.args) == 4

"""Rules that a machine keeps: what each layer may import, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mixedsparse

ROOT = Path(__file__).resolve().parent.parent / "mixedsparse"

# From the ground up. A module imports from its own room and from the floors below, wherever the import stands: in the
# body of the module, in a function, or for types. Rooms on one floor do not see each other.
FLOORS = [
    {"ground"},
    {"datasets"},
    {"core"},
    {"data"},
    {"fitted"},
    {"inference"},
    {"prediction", "diagnostics", "report", "plotting"},
    {"api"},
    {"planning", "compat", "adapters"},
    {"__init__", "demo"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# The rooms of core in the same way.
CORE_FLOORS = [
    {"structures", "residual", "compiled"},
    {"problem"},
    {"likelihood"},
    {"engines"},
    {"newton"},
    {"batch"},
    {"fitting"},
    {"deletion"},
    {"choose"},
]
CORE_FLOOR_OF = {room: floor for floor, rooms in enumerate(CORE_FLOORS) for room in rooms}

ALLOWED_LIBRARIES = {
    "ground/errors": set(),
    "ground/options": set(),
    "ground/checks": {"numpy"},
    "core": {"numpy", "scipy"},
    "data/formula": {"numpy", "pandas", "formulaic", "narwhals"},
    "datasets": {"pandas"},
}
ONLY_IMPORTERS = {
    "sksparse": {"core/engines/cholmod/cholmod.py"},
    "numba": {
        f"core/engines/kernels/{name}.py"
        for name in ("direct", "krylov", "columns", "loops", "one_way", "pairs", "pedigree")
    }
    | {f"core/compiled/{name}.py" for name in ("__init__", "elimination", "families", "told")},
    "threadpoolctl": {"ground/threads.py"},
}

# Slow to import, or optional: only modules that are themselves imported late may import them.
HEAVY = {"duckdb", "ibis", "formulaic", "numba", "sksparse", "matplotlib", "polars", "pyarrow", "statsmodels"}

MAX_LINES = 300


@dataclass(frozen=True)
class Import:
    """One import: the full name, and where it happens."""

    name: str
    in_function: bool
    for_types: bool

    @property
    def root(self) -> str:
        return self.name.split(".")[0]

    @property
    def layer(self) -> str | None:
        """Layer of mixedsparse that is imported; None for other packages and for the package itself."""
        parts = self.name.split(".")
        return parts[1] if parts[0] == "mixedsparse" and len(parts) > 1 else None


def walk(node: ast.AST, in_function: bool = False, for_types: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        function = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        types = for_types or (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"))
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, in_function, for_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: write the import from 'mixedsparse' on"
            whole_package = child.module == "mixedsparse"  # `from mixedsparse import datasets` means the module
            names = [f"mixedsparse.{alias.name}" for alias in child.names] if whole_package else [str(child.module)]
            yield from (Import(name, in_function, for_types) for name in names)
        yield from walk(child, function, types)


@cache
def imports(path: Path) -> list[Import]:
    return list(walk(ast.parse(path.read_text(encoding="utf-8"))))


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES = sorted(ROOT.rglob("*.py"))
every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


@every_module
def test_imports_point_down(path):
    room = layer_of(path)
    assert room in FLOOR_OF, f"{room!r} has no floor yet: give it one in FLOORS"
    others = {i.layer for i in imports(path) if i.layer} - {room}
    upwards = {other for other in others if FLOOR_OF.get(other, len(FLOORS)) >= FLOOR_OF[room]}
    assert not upwards


@pytest.mark.parametrize("path", [path for path in MODULES if layer_of(path) == "core"], ids=name_of)
def test_imports_inside_core_point_down(path):
    room = path.relative_to(ROOT).parts[1].removesuffix(".py")
    others = {i.name.split(".")[2] for i in imports(path) if i.layer == "core"} - {room}
    if room == "__init__":
        assert not others
        return
    assert room in CORE_FLOOR_OF, f"{room!r} has no floor yet: give it one in CORE_FLOORS"
    assert {other for other in others if CORE_FLOOR_OF[other] >= CORE_FLOOR_OF[room]} == set()


def test_imports_make_no_circle():
    """Counted with those in functions and for types; a package is what its own ``__init__`` imports."""
    known = {_module_of(path) for path in MODULES}
    edges = {_module_of(path): {name for name in _names_in(path) if name in known} for path in MODULES}
    for module, names in edges.items():
        names.difference_update({module, *_packages_of(module)})
    TopologicalSorter(edges).prepare()  # a CycleError lists the modules of one


def _module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _packages_of(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:i]) for i in range(1, len(parts))}


def _names_in(path: Path) -> Iterator[str]:
    """Modules that a file may import: what it names, and what it takes from there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@every_module
def test_libraries_stay_in_their_room(path):
    name = name_of(path)
    found = {i.root for i in imports(path) if not i.for_types} - sys.stdlib_module_names - {"mixedsparse"}
    owned = {library for library, owners in ONLY_IMPORTERS.items() if name in owners}
    foreign = {library for library in found if name not in ONLY_IMPORTERS.get(library, {name})}
    assert not foreign, f"only {[ONLY_IMPORTERS[f] for f in foreign]} may import {sorted(foreign)}"
    for room, allowed in ALLOWED_LIBRARIES.items():
        if name.startswith(f"{room}/") or name == f"{room}.py":
            assert found - owned <= allowed


# Kinds of engine, and what they make: what only some can do is asked of their interface.
KINDS = ("Engine", "Factored", "Analysis", "Coupling", "Batch", "Criterion")


@every_module
def test_nobody_asks_which_engine_it_has(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asked = [
        ast.unparse(call)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "isinstance"
        and any(name.id.endswith(KINDS) for name in ast.walk(call.args[1]) if isinstance(name, ast.Name))
    ]
    assert not asked


@every_module
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


def test_importing_the_package_loads_nothing_heavy():
    # First those that bring heavy things themselves where they are installed: pyarrow and sksparse.
    first = "import sys, pandas, scipy.optimize; known = set(sys.modules); "
    code = first + "import mixedsparse; print(*set(sys.modules) - known)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert not HEAVY & {name.split(".")[0] for name in loaded.stdout.split()}


def test_names_that_are_imported_late_are_those_that_a_type_checker_sees():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.name: statement.module for statement in block.body for alias in statement.names}
    modules = {name: f"{module}.{name}" for name, module in seen.items() if name in mixedsparse._MODULES}
    assert modules == mixedsparse._MODULES
    assert {name: module for name, module in seen.items() if name not in modules} == mixedsparse._HOME_OF
    for name in mixedsparse.__all__:
        assert getattr(mixedsparse, name) is not None
    assert set(mixedsparse.__all__) <= set(dir(mixedsparse))


def test_importing_the_package_loads_none_of_its_rooms():
    code = "import sys, mixedsparse; print(*[name for name in sys.modules if name.startswith('mixedsparse.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert {name.split(".")[1] for name in loaded.stdout.split()} == {"ground"}

"""Rules that a machine keeps: what each layer may import, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "mixedsparse"

# From the ground up. A module imports from its own layer and from those below; datasets stand aside.
LAYERS = [
    "errors",
    "options",
    "caller",
    "checks",
    "spellings",
    "foreign",
    "files",
    "core",
    "progress",
    "formula",
    "notices",
    "criterion",
    "estimable",
    "sources",
    "model",
    "results",
    "inference",
    "prediction",
    "diagnostics",
    "planning",
    "report",
    "plotting",
    "storage",
    "adapters",
]
ON_TOP = {"__init__", "demo", "compat"}  # may import any layer
GROUND = {"errors", "options", "checks", "spellings", "foreign"}
PURE = {"core", "formula"}  # never import upwards, not even inside a function

ALLOWED_LIBRARIES = {
    "errors": set(),
    "options": set(),
    "checks": {"numpy"},
    "core": {"numpy", "scipy"},
    "formula": {"numpy", "pandas", "formulaic", "narwhals"},
    "datasets": {"pandas"},
}
ONLY_IMPORTERS = {
    "sksparse": {"core/direct/cholmod.py"},
    "numba": {f"core/kernels/{name}.py" for name in ("__init__", "direct", "krylov", "columns", "loops")},
    "threadpoolctl": {"core/threads.py"},
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
    layer = layer_of(path)
    if layer in ON_TOP:
        return
    known = {*LAYERS, "datasets"}
    assert layer in known, f"{layer!r} has no layer yet: give it one in LAYERS"
    below = GROUND if layer == "datasets" else {*GROUND, *LAYERS[: LAYERS.index(layer)]}
    strict = [i for i in imports(path) if layer in PURE or not (i.in_function or i.for_types)]
    upwards = {i.name for i in strict if i.layer and i.layer not in below | {layer}}
    assert not upwards, f"imports from above: {sorted(upwards)}"


@every_module
def test_libraries_stay_in_their_layer(path):
    layer, name = layer_of(path), name_of(path)
    found = {i.root for i in imports(path) if not i.for_types} - sys.stdlib_module_names - {"mixedsparse"}
    owned = {library for library, owners in ONLY_IMPORTERS.items() if name in owners}
    foreign = {library for library in found if name not in ONLY_IMPORTERS.get(library, {name})}
    assert not foreign, f"only {[ONLY_IMPORTERS[f] for f in foreign]} may import {sorted(foreign)}"
    if layer in ALLOWED_LIBRARIES:
        assert found - owned <= ALLOWED_LIBRARIES[layer]


@every_module
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


def test_importing_the_package_loads_nothing_heavy():
    # First those that bring heavy things themselves where they are installed: pyarrow and sksparse.
    first = "import sys, pandas, scipy.optimize; known = set(sys.modules); "
    code = first + "import mixedsparse; print(*set(sys.modules) - known)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert not HEAVY & {name.split(".")[0] for name in loaded.stdout.split()}

"""Files of mixedsparse 0.1.0 stay readable, as data, whatever becomes of the modules that wrote them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse import StorageError, load
from tests.storage.cases import shift
from tests.storage.make_version1 import FOLDER, numbers

EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
# Sums are taken in another order by another BLAS.
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
OF_FILE = ("formula", "verdict", "criterion", "bse", "theta", "sigma2", "levels", "modes")


def old_file(name: str) -> Path:
    return FOLDER / f"{name.replace(' ', '_')}.fit"


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.MixedSparseWarning")
@pytest.mark.parametrize("name", EXPECTED)
def test_files_of_0_1_0_give_the_numbers_that_they_gave(name, tmp_path):
    fit = load(old_file(name), env={"shift": shift})
    found, expected = numbers(name, fit), EXPECTED[name]
    for what in OF_FILE:
        assert found[what] == expected[what], what
    assert list(found["params"].items()) == list(expected["params"].items())
    for what in ("fitted", "predicted", "population", "interval"):
        np.testing.assert_allclose(found.get(what, np.nan), expected.get(what, np.nan), **CLOSE)
    fit.save(tmp_path / "new")
    assert numbers(name, load(tmp_path / "new", env={"shift": shift})) == found


@pytest.mark.slow
def test_internals_may_be_renamed_and_stored_fits_still_open(tmp_path):
    shutil.copytree(Path(ms.__file__).parent, tmp_path / "mixedsparse", ignore=shutil.ignore_patterns("__pycache__"))
    moved = {
        "core/newton/trust": "core/newton/stepping",
        "data/formula/grouping": "data/formula/groups",
        "core/problem/terms": "core/problem/random_terms",
    }
    for old, new in moved.items():
        (tmp_path / "mixedsparse" / f"{old}.py").rename(tmp_path / "mixedsparse" / f"{new}.py")
    for file in (tmp_path / "mixedsparse").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for old, new in moved.items():
            text = text.replace(f"mixedsparse.{old.replace('/', '.')} ", f"mixedsparse.{new.replace('/', '.')} ")
        if file.name != "version1.py":  # which has the names of 0.1.0
            text = re.sub(r"\bTermEncoding\b", "EncodedTerm", text)
        file.write_text(text, encoding="utf-8")
    load(old_file("nested")).save(tmp_path / "nested.fit")
    code = (
        "import sys, mixedsparse as ms; "
        "assert ms.__file__.startswith(sys.argv[1]); import mixedsparse.core.newton.stepping; "
        "print(*[float(ms.load(path).criterion).hex() for path in sys.argv[2:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "nested.fit"), str(old_file("nested"))],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [EXPECTED["nested"]["criterion"].hex()] * 2, done.stderr


def rewritten(path: Path, payload: bytes, **header: object) -> Path:
    """File of version 1 with another payload, whose checksum is right."""
    with zipfile.ZipFile(old_file("slopes")) as old:
        known = json.loads(old.read("header.json"))
    known |= {"size": len(payload), "sha256": hashlib.sha256(payload).hexdigest(), **header}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("header.json", json.dumps(known))
        new.writestr("results.pickle", payload)
    return path


def call(module: str, name: str, *arguments: object) -> bytes:
    """Pickle that calls a function."""
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93" + pickle.dumps(arguments, protocol=2)[2:-1] + b"R."


CODE = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("builtins", "object.__subclasses__"),
    ("numpy.testing", "runstring"),
    ("numpy.f2py", "os.system"),
    ("numpy", "load"),
    ("numpy", "memmap"),
    ("pandas", "eval"),
    ("pandas", "read_pickle"),
    ("pandas", "DataFrame.to_csv"),
    ("pyarrow.lib", "memory_map"),
]
INERT = [
    ("mixedsparse.api.storage", "os.system"),
    ("mixedsparse.datasets", "load"),
    ("formulaic.utils.stateful_transforms", "stateful_eval"),
    ("scipy._lib._testutils", "check_free_memory"),
]


@pytest.mark.parametrize(("module", "name"), CODE)
def test_what_is_not_on_the_list_is_refused_by_name(module, name, tmp_path):
    path = rewritten(tmp_path / "bad", call(module, name, f"{tmp_path}/written", "w"))
    with pytest.raises(StorageError, match=rf"{module}\.{re.escape(name)}, which no file of mixedsparse does"):
        load(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad"]


@pytest.mark.parametrize(("module", "name"), INERT)
def test_names_of_our_own_packages_are_never_looked_up(module, name, tmp_path):
    path = rewritten(tmp_path / "bad", call(module, name, f"touch {tmp_path}/written"))
    with pytest.raises(StorageError, match="cannot rebuild it"):
        load(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad"]


@pytest.mark.parametrize("held", [None, 5, [1], {"a": 1}, np.arange(3.0)], ids=repr)
def test_pickles_of_other_things_are_refused(held, tmp_path):
    with pytest.raises(StorageError, match=r"written by mixedsparse 0\.1\.0 with numpy .*cannot rebuild it"):
        load(rewritten(tmp_path / "other", pickle.dumps(held, protocol=5)))


def test_a_class_that_was_never_there_names_the_version_that_wrote_it(tmp_path):
    with zipfile.ZipFile(old_file("slopes")) as archive:
        payload = archive.read("results.pickle").replace(b"FixedBasis", b"FixedBasos")
    with pytest.raises(StorageError, match=r"written by mixedsparse 0\.0\.9 with numpy .*cannot rebuild it"):
        load(rewritten(tmp_path / "old", payload, mixedsparse="0.0.9"))

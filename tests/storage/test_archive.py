"""What can happen to a file: damage, malice, several writers, a process that is killed."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import re
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse import StorageError, load
from mixedsparse.ground.files import replacing

DATA = ms.datasets.load("sleepstudy")
FIT = ms.lmer("Reaction ~ Days + (Days | Subject)", DATA)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "fit"
    FIT.save(path)
    return path


def rewritten(saved: Path, path: Path, header: dict | None = None, **members: bytes) -> Path:
    """Copy with other entries of the header, or other members, whose checksums are right."""
    with zipfile.ZipFile(saved) as old:
        found = {name: old.read(name) for name in old.namelist()}
    known = json.loads(found.pop("header.json"))
    found |= {name.replace("_", "."): data for name, data in members.items()}
    known["members"] = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in found.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in {"header.json": json.dumps(known | (header or {})), **found}.items():
            new.writestr(name, data)
    return path


def outcome(path: Path) -> tuple[float | None, str]:
    """Criterion of a file, or the message of the error; any other exception ends the test."""
    try:
        return load(path).criterion, ""
    except StorageError as err:
        return None, str(err)


@pytest.mark.parametrize("header", [{"mixedsparse": "99.0.1"}, {"format_version": 99, "mixedsparse": "99.0.1"}])
def test_a_file_of_a_newer_version_says_so(saved, tmp_path, header):
    message = f"was written by mixedsparse 99.0.1, and this is the older version {re.escape(ms.__version__)}: install"
    with pytest.raises(StorageError, match=message):
        load(rewritten(saved, tmp_path / "newer", header))


def test_a_file_of_an_older_version_is_read(saved, tmp_path):
    assert load(rewritten(saved, tmp_path / "older", {"mixedsparse": "0.0.9"})).nobs == 180


@pytest.mark.parametrize(
    "header",
    [
        {"format_version": "2"},
        {"format_version": None},
        {"format_version": 0},
        {"members": None},
        {"members": {"results.json": 5}},
        {"members": {"results.json": {"size": -1, "sha256": ""}}},
        {"members": {"absent": {"size": 1, "sha256": ""}}},
        {"mixedsparse": "9" * 5000},
        {"mixedsparse": [1]},
        {"libraries": [1]},
        {"format": "other"},
    ],
    ids=str,
)
def test_no_header_ends_in_another_exception(saved, tmp_path, header):
    criterion, message = outcome(rewritten(saved, tmp_path / "odd", header))
    if criterion is None:
        assert re.search("is damaged|was written by|is not a file of mixedsparse", message)
    else:
        assert criterion == FIT.criterion


def test_damage_is_noticed(saved, tmp_path):
    whole, chance, broken = saved.read_bytes(), random.Random(1), tmp_path / "broken"
    noticed = 0
    for trial in range(300):
        part = bytearray(whole)
        at = chance.randrange(len(whole))
        if trial % 3 == 0:
            part = part[:at]
        elif trial % 3 == 1:
            part[at] ^= 1 << chance.randrange(8)
        else:
            part[at : at + 20] = chance.randbytes(20)
        broken.write_bytes(part)
        criterion, message = outcome(broken)
        noticed += re.search("is damaged|is not a file of mixedsparse", message) is not None
        # A byte of the archive that carries nothing, such as a time stamp, changes nothing.
        assert criterion in (None, FIT.criterion)
    assert noticed > 280


def tree_of(saved: Path) -> dict:
    with zipfile.ZipFile(saved) as archive:
        return json.loads(archive.read("results.json"))


def test_contents_that_do_not_fit_together_name_the_file(saved, tmp_path):
    """Whatever is taken out of a file or changed in it, with its checksum put right."""
    chance, refused = random.Random(3), 0
    for _ in range(150):
        tree = tree_of(saved)
        entry = chance.choice(tree["records"] + tree["arrays"])
        key = chance.choice(list(entry))
        if chance.random() < 0.5:
            del entry[key]
        else:
            entry[key] = chance.choice([None, -1, 10**9, "x", [], {}, {"~": "record", "at": 10**6}, {"~": "nothing"}])
        path = rewritten(saved, tmp_path / "odd", results_json=json.dumps(tree).encode())
        criterion, message = outcome(path)
        refused += criterion is None
        assert criterion is not None or "odd" in message
    assert refused > 100


@pytest.mark.parametrize("dtype", ["O", "|O", "V8", "no such type", "f8,O"])
def test_arrays_of_objects_are_not_made_from_bytes(saved, tmp_path, dtype):
    tree = tree_of(saved)
    tree["arrays"][0]["dtype"] = dtype
    with pytest.raises(StorageError, match="cannot rebuild it"):
        load(rewritten(saved, tmp_path / "objects", results_json=json.dumps(tree).encode()))


def test_a_file_that_inflates_to_more_than_its_header_says_is_refused_before(tmp_path, monkeypatch):
    path = tmp_path / "bomb"
    entry = {"size": 10, "sha256": "0"}
    header = {"format": "mixedsparse-results", "format_version": 2, "mixedsparse": "0.1.0"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(header | {"members": {"results.json": entry, "arrays.bin": entry}}))
        for name in ("results.json", "arrays.bin"):
            archive.writestr(name, bytes(50 << 20))
    inflated = []
    read = zipfile.ZipFile.read
    monkeypatch.setattr(
        zipfile.ZipFile, "read", lambda self, entry: inflated.append(entry.filename) or read(self, entry)
    )
    with pytest.raises(StorageError, match="is damaged"):
        load(path)
    assert inflated == ["header.json"]


def test_a_file_that_does_not_fit_into_memory_is_refused_before(saved, tmp_path, monkeypatch):
    from mixedsparse.api.storage import archive

    monkeypatch.setattr(archive, "available_memory", lambda: 1000.0)
    with pytest.raises(StorageError, match=r"holds [0-9,]+ bytes, .* memory"):
        load(saved)


def test_files_of_other_programs_are_refused(saved, tmp_path):
    (tmp_path / "text").write_text("y ~ x")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    for name in ("text", "empty", "pickle", "arrays.npz"):
        with pytest.raises(StorageError, match="is not a file of mixedsparse"):
            load(tmp_path / name)
    with pytest.raises(StorageError, match="is a directory"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"x")
    target.chmod(0o640)
    link.symlink_to("target")
    FIT.save(link)
    assert link.is_symlink()
    assert load(target).criterion == FIT.criterion
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    FIT.save(tmp_path / "fit")
    assert (tmp_path / "fit").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("place", ["", "no/fit", "n" * 300, "a\0b"], ids=["directory", "nowhere", "long", "nul"])
def test_places_that_cannot_be_written_are_named(tmp_path, place):
    with pytest.raises(StorageError, match="cannot be written"):
        FIT.save(tmp_path / place)
    assert not list(tmp_path.iterdir())


def test_a_long_name_that_the_system_takes_is_taken(tmp_path):
    FIT.save(tmp_path / ("n" * 250))
    assert load(tmp_path / ("n" * 250)).nobs == 180


def test_several_threads_that_save_to_one_place_leave_one_whole_file(tmp_path):
    failed = []

    def save() -> None:
        try:
            for _ in range(5):
                FIT.save(tmp_path / "fit")
        except Exception as err:
            failed.append(err)

    threads = [threading.Thread(target=save) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]
    assert load(tmp_path / "fit").criterion == FIT.criterion


HANGING = """
import sys, time
from pathlib import Path
from mixedsparse.ground.files import replacing
with replacing(Path(sys.argv[1]) / "fit") as part:
    part.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_what_a_killed_process_leaves_goes_at_the_next_save_and_what_is_being_written_stays(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", HANGING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout.readline() == "writing\n"
        writers[0].kill()
        writers[0].wait()
        assert len(list(tmp_path.iterdir())) == 2
        FIT.save(tmp_path / "fit")
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) == 2  # the file, and what the living process writes
        assert "fit" in names
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            writer.stdout.close()
    FIT.save(tmp_path / "fit")
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "old").write_text("old")

    def write() -> None:
        with replacing(tmp_path / "old") as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_the_file_holds_no_code(saved):
    with zipfile.ZipFile(saved) as archive:
        assert sorted(archive.namelist()) == ["arrays.bin", "header.json", "results.json"]
        assert "mixedsparse." not in archive.read("results.json").decode()


def test_a_file_of_a_machine_of_the_other_byte_order_gives_the_same_numbers(saved, tmp_path):
    tree = tree_of(saved)
    with zipfile.ZipFile(saved) as archive:
        data = bytearray(archive.read("arrays.bin"))
    for entry in tree["arrays"]:
        native = np.dtype(entry["dtype"])
        stop = entry["start"] + native.itemsize * int(np.prod(entry["shape"]))
        swapped = np.frombuffer(bytes(data[entry["start"] : stop]), native).byteswap()
        data[entry["start"] : stop] = swapped.tobytes()
        entry["dtype"] = native.newbyteorder().str
    other = rewritten(saved, tmp_path / "other", results_json=json.dumps(tree).encode(), arrays_bin=bytes(data))
    again = load(other)
    assert str(again.summary()) == str(FIT.summary())
    assert again.predict(DATA).to_numpy().tobytes() == FIT.predict(DATA).to_numpy().tobytes()
    np.testing.assert_allclose(again.model.fit().theta, FIT.theta, rtol=1e-9)


@pytest.mark.parametrize("what", ["arrays that share bytes", "objects without items", "an array of nothing"])
def test_what_a_small_file_says_takes_no_more_memory_than_it_has_bytes(saved, tmp_path, what):
    tree = tree_of(saved)
    if what == "arrays that share bytes":
        largest = max(tree["arrays"], key=lambda entry: np.prod(entry["shape"]))
        tree["arrays"] += [largest] * 100_000
    elif what == "objects without items":
        tree["records"][0]["more"] = {"~": "objects", "shape": [10**12], "items": []}
    else:
        tree["arrays"].append({"dtype": "<f8", "shape": [10**12], "order": "C", "start": 0})
    with pytest.raises(StorageError, match="cannot rebuild it"):
        load(rewritten(saved, tmp_path / "large", results_json=json.dumps(tree).encode()))

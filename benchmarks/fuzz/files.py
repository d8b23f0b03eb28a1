"""Damaged files: a stored fit with wrong bytes is refused, or is the same fit; never another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import mixedsparse as ms
from benchmarks.fuzz.attempt import Finding, attempt

__all__ = ["CHECKS", "check_files"]

KIND = "damaged files"
CHECKS = {"stored fit": "refused as a StorageError, or the same fit to the last bit"}


def check_files(folder: Path, each: int = 200) -> Iterator[Finding]:
    """Damage a stored fit in five ways, `each` times."""
    data = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", data)
    path, damaged = folder / "sound.fit", folder / "damaged.fit"
    fit.save(path)
    sound = path.read_bytes()
    expected = fit.predict(data).to_numpy().tobytes()
    rng = np.random.default_rng(1)
    for way, damage in DAMAGES.items():
        for k in range(each):
            damaged.write_bytes(damage(rng, sound))
            found = attempt(lambda: ms.load(damaged).predict(data).to_numpy().tobytes())
            other = found.refusal is None and not found.fault and found.value != expected
            foreign = found.refusal is not None and not isinstance(found.refusal, ms.StorageError)
            fault = found.fault or ("another fit" if other else "") or (repr(found.refusal) if foreign else "")
            yield Finding(KIND, "stored fit", f"{way} {k}", fault)


def _flipped(rng: np.random.Generator, sound: bytes) -> bytes:
    found = bytearray(sound)
    found[rng.integers(len(found))] ^= 1 << int(rng.integers(8))
    return bytes(found)


def _burst(rng: np.random.Generator, sound: bytes) -> bytes:
    found = bytearray(sound)
    start = int(rng.integers(len(found)))
    noise = rng.bytes(min(64, len(found) - start))
    found[start : start + len(noise)] = noise
    return bytes(found)


def _zeroed(rng: np.random.Generator, sound: bytes) -> bytes:
    start = int(rng.integers(len(sound)))
    return sound[:start] + bytes(len(sound) - start)


DAMAGES = {
    "one bit": _flipped,
    "64 bytes": _burst,
    "cut short": lambda rng, sound: sound[: rng.integers(len(sound))],
    "zeros to the end": _zeroed,
    "bytes behind": lambda rng, sound: sound + rng.bytes(int(rng.integers(1, 200))),
}

"""Write the files of `tests/data/version1` and the numbers that they must give.

They were written once, by mixedsparse 0.1.0, the last version with that format. Run from the top, with that version:
``python -m tests.storage.make_version1``.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import mixedsparse as ms
from tests.storage.cases import CASES, new_rows

FOLDER = Path(__file__).resolve().parent.parent / "data" / "version1"


def numbers(name: str, fit: Any) -> dict[str, Any]:
    """What a file must give; JSON keeps every digit."""
    rows = new_rows(name)
    found = {
        "formula": fit.formula,
        "verdict": fit.certificate.verdict,
        "criterion": fit.criterion,
        "params": fit.params.to_dict(),
        "bse": fit.bse.tolist(),
        "theta": fit.theta.tolist(),
        "sigma2": fit.scale,
        "modes": {group: modes.to_numpy().tolist() for group, modes in fit.random_effects.items()},
        "levels": {group: list(map(str, modes.index)) for group, modes in fit.random_effects.items()},
    }
    if name != "source":
        found["fitted"] = fit.fittedvalues.tolist()
    if rows is not None:
        found["predicted"] = fit.predict(rows).tolist()
        found["population"] = fit.predict(rows, random="population").tolist()
    if rows is not None and name != "iterative":
        found["interval"] = fit.predict(rows, interval="confidence").to_numpy().tolist()
    return found


def main() -> None:
    """Fit and write everything."""
    if ms.__version__ != "0.1.0":
        raise SystemExit(f"This is mixedsparse {ms.__version__}: the files are those of 0.1.0.")
    os.chdir(tempfile.gettempdir())
    expected = {}
    for name, make in CASES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = make()
            fit.save(FOLDER / f"{name.replace(' ', '_')}.fit")
            expected[name] = numbers(name, fit)
    (FOLDER / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main()

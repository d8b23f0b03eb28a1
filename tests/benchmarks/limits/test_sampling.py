"""Samples are put down to the stage whose code runs."""

from __future__ import annotations

import sys

import mixedsparse as ms
from benchmarks.limits.sampling import PACKAGE, REST, STAGES, sample, stage_of


def test_the_innermost_frame_with_a_stage_counts():
    stages = []
    named = {
        "core/fitting/optimize.py:search": "search",
        "core/fitting/objective.py:note": "note",
        "api/model.py": "model",
        "core": "other",
    }

    def capture(iteration):
        for known in (named, {"core": "core"}, {"api/model.py": "model", "core/fitting/fit.py:fit_problem": "fit"}, {}):
            stages.append(stage_of(sys._getframe(), known))

    formula = "diameter ~ 1 + (1 | plate) + (1 | sample)"
    ms.lmer(formula, ms.datasets.load("Penicillin"), progress=capture)
    assert stages[:4] == ["note", "core", "fit", REST]


def test_stages_name_code_that_is_there():
    for key in STAGES:
        file, _, function = key.partition(":")
        assert (PACKAGE / file).exists()
        assert not function or f"def {function}(" in (PACKAGE / file).read_text(encoding="utf-8")


def test_shares_add_up():
    shares = sample(lambda: sum(range(1000)), 0.05)
    assert [share.stage for share in shares] == [REST]
    assert shares[0].share == 1.0

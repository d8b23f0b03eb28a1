"""Our side of the inference timings runs, and names its tasks as the R script does."""

from __future__ import annotations

from benchmarks.inference import SCRIPT, measure_here


def test_tasks_are_those_of_the_r_script():
    seconds = measure_here(replicates=20, calls=1)
    assert all(len(values) == 1 and values[0] > 0 for values in seconds.values())
    script = SCRIPT.read_text(encoding="utf-8")
    for name in seconds:
        assert f'clock("{name}"' in script

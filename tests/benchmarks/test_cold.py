"""Timing of new processes, with scripts that report fixed numbers."""

import subprocess

import pytest

from benchmarks.cold import time_processes


def test_seconds_that_the_script_prints_are_summarised():
    row = time_processes("fixed", "print(0.25)", 3, inside=True)
    assert (row.measure, row.repetitions) == ("fixed", 3)
    assert (row.seconds, row.seconds_min, row.seconds_max) == (0.25, 0.25, 0.25)


def test_whole_processes_are_timed():
    row = time_processes("nothing", "pass", 2, inside=False)
    assert 0 < row.seconds_min <= row.seconds <= row.seconds_max


def test_a_failing_script_is_an_error():
    with pytest.raises(subprocess.CalledProcessError):
        time_processes("bad", "raise SystemExit(1)", 1, inside=False)

"""The clock of the benchmarks."""

from benchmarks.shared.clock import repeated, seconds_of, spread


def test_the_first_timing_does_not_count():
    values = iter([9.0, 1.0, 2.0])
    assert repeated(lambda: next(values), 2) == [1.0, 2.0]


def test_spread_is_median_least_greatest():
    assert spread([3.0, 1.0, 2.5]) == {"seconds": 2.5, "seconds_min": 1.0, "seconds_max": 3.0}


def test_a_call_is_made_once():
    calls = []
    assert seconds_of(lambda: calls.append(1)) >= 0
    assert calls == [1]

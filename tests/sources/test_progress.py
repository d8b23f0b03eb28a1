"""Aggregation reports how far it is, and ends at Ctrl-C."""

from __future__ import annotations

import pytest

import mixedsparse as ms


def test_queries_are_counted(path):
    told = []
    ms.LinearMixedModel("y ~ x + f + (1 | g) + (1 | h)", path, progress=lambda *step: told.append(step))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert all(done < total for done, total in told)
    assert told[-1][1] - told[-1][0] <= 3


def test_interrupt(path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ms.LinearMixedModel("y ~ x + (1 | g)", path, progress=stop)


def test_progress_of_a_fit_is_not_that_of_the_aggregation(path):
    lines = []
    with pytest.warns(ms.DroppedRowsWarning):
        ms.lmer("y ~ x + (1 | g)", path, progress=lines.append)
    assert lines[0].number >= 0

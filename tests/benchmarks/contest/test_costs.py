"""Calls that a run leaves out because they are hopeless."""

from benchmarks.contest.costs import EXPECTED, reason_to_skip
from benchmarks.contest.engines.registry import ENGINES
from benchmarks.problems import PROBLEMS


def test_expected_costs_name_engines_and_problems_and_run_on_demand():
    names = {problem.name for problem in PROBLEMS}
    assert {engine for engine, _ in EXPECTED} <= set(ENGINES)
    assert {problem for _, problem in EXPECTED} <= names
    assert reason_to_skip("mixedsparse", "ratings5m", 10.0) is None
    assert reason_to_skip("lme4", "kb07", 600.0) is None
    assert "18 s expected (measured before), too long for calls up to 10 s" in reason_to_skip("lme4", "kb07", 10.0)
    assert reason_to_skip("lme4", "ratings5m", None) is None


def test_a_call_that_was_given_up_is_tried_again_only_with_much_more_time():
    assert "at least 45 s expected" in reason_to_skip("lme-python", "kb07", 150.0)
    assert reason_to_skip("lme-python", "kb07", 600.0) is None

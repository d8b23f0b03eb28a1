"""Timings in turn."""

from benchmarks.limits.worker import alternating_medians


def test_medians_alternate_and_leave_the_first_round_out():
    order = []

    def task(name, values):
        numbers = iter(values)

        def run():
            order.append(name)
            return next(numbers)

        return run

    found, counted = alternating_medians({"a": task("a", [99, 1, 3, 2]), "b": task("b", [99, 5, 5, 6])}, 3, 60.0)
    assert order == ["a", "b"] * 4
    assert (found, counted) == ({"a": 2, "b": 5}, 3)
    assert alternating_medians({"a": task("a", [99, 1, 3])}, 9, 0.0) == ({"a": 99}, 1)  # alone over the budget

"""Numbers and tables in Markdown."""

import pytest

from benchmarks.shared import text


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0.000123456, "0.123 ms", "0.123"),
        (0.3, "300 ms", "300"),
        (1.5, "1.5 s", "1,500"),
        (123.456, "123 s", "123,456"),
    ],
)
def test_seconds_have_three_digits(seconds, long, short):
    assert (text.seconds(seconds), text.milliseconds(seconds)) == (long, short)


def test_ratios_have_two_digits():
    assert [text.ratio(value) for value in (0.456, 3.14, 123.4)] == ["0.46×", "3.1×", "123×"]


def test_a_table_aligns_numbers_to_the_right():
    assert text.table(["a", "b"], [["x", 1]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"

"""Layout of tables for a terminal."""

from __future__ import annotations

from mixedsparse.report.table import Table
from mixedsparse.report.text import lay_out, paragraph, width_of

TABLE = Table.of(
    "Caption",
    ["Name", "Value"],
    [["C(a)[T.one]:C(b)[T.two]", "1.25"], ["a name of words", "10.5"], ["unbreakable_identifier", "3"]],
)


def test_numbers_align_on_the_point_and_labels_on_the_left():
    assert lay_out(TABLE, 80).splitlines() == [
        "Caption",
        "Name                     Value",
        "C(a)[T.one]:C(b)[T.two]   1.25",
        "a name of words          10.5",
        "unbreakable_identifier    3",
    ]
    assert width_of(TABLE) == 30


def test_labels_break_after_colons_then_spaces_then_anywhere():
    assert lay_out(TABLE, 20).splitlines() == [
        "Caption",
        "Name           Value",
        "C(a)[T.one]:    1.25",
        " C(b)[T.two]",
        "a name of      10.5",
        " words",
        "unbreakable_i   3",
        " dentifier",
    ]


def test_a_table_of_numbers_only_keeps_its_width():
    table = Table.of("", ["Min", "Max"], [["-1.5", "2.25"]], labels=0)
    assert lay_out(table, 3) == " Min   Max\n-1.5  2.25"


def test_paragraph_indents_what_follows():
    assert paragraph("one two three", 14, label="L", indent=4) == "L:  one two\n    three"
    assert paragraph("one two three", 80) == "one two three"

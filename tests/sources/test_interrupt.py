"""Ctrl-C while the database works."""

from __future__ import annotations

import pytest

from mixedsparse.data.sources.database import Database
from mixedsparse.ground.errors import DataError


@pytest.mark.parametrize("error", [RuntimeError("Query interrupted"), type("InterruptException", (Exception,), {})()])
def test_what_duckdb_says_of_it(error):
    class Interrupted(Database):
        name = "The source"

        def _batches(self, expression, rows):
            yield
            raise error

    with pytest.raises(KeyboardInterrupt):
        list(Interrupted().batches(None))


def test_other_failures_are_errors():
    class Broken(Database):
        name = "The source 'a.parquet'"

        def _batches(self, expression, rows):
            yield
            raise OSError("disk on fire\nand more")

    with pytest.raises(DataError, match=r"The source 'a.parquet' could not be read: disk on fire and more\. Check"):
        list(Broken().batches(None))


def test_a_damaged_file_called_interrupted_is_no_interrupt():
    class Broken(Database):
        name = "The source 'interrupted.parquet'"

        def _batches(self, expression, rows):
            yield
            raise OSError("Invalid page in 'interrupted.parquet'")

    with pytest.raises(DataError, match="Invalid page"):
        list(Broken().batches(None))

"""Ctrl-C while the database works."""

from __future__ import annotations

import pytest

from mixedsparse.errors import DataError
from mixedsparse.sources.database import Database


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

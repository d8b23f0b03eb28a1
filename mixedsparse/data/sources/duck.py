"""DuckDB, which runs in this process: on its own for files, or a connection of the user's."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.parquet import quoted
from mixedsparse.ground.files import scratch_folder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DuckDB", "embedded_duckdb"]

# What the embedded DuckDB may hold before it writes to disk, in megabytes; results live outside of it.
_MEMORY_MB = 1500
# Columns that DuckDB's grouping() tells apart.
_MOST_KEYS = 60


class DuckDB(Database):
    """A table of DuckDB, which runs in this process, asked in SQL that Ibis writes.

    Parameters
    ----------
    table : ibis Table
        Bound or not; its name is known to `run`.
    name : str
    run : callable
        SQL to a relation; None for statements.
    """

    is_local = True

    def __init__(self, table: Any, name: str, run: Callable[[str], Any]) -> None:
        self.table, self.name, self._run = table, name, run
        self.categories = self.enumerated

    def grouped(
        self, table: Any, sets: Sequence[Sequence[str]], summed: Sequence[str] = ()
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """See `Database.grouped`: the rows are read once for all sets."""
        import pyarrow as pa

        keys = list(dict.fromkeys(key for one in sets for key in one))
        # The n-th bit from the right of the mask is set where the n-th key from the right is not one of the set.
        masks = [sum((key not in one) << i for i, key in enumerate(reversed(keys))) for one in sets]
        if len(sets) == 1 or len(keys) > _MOST_KEYS:
            yield from super().grouped(table, sets, summed)
            return
        listed = ", ".join(map(_named, keys))
        different = dict(zip(masks, sets, strict=True)).values()
        chosen = ", ".join(f"({', '.join(map(_named, one))})" for one in different)
        sums = "".join(f", sum({_named(name)}) AS {_named(name)}" for name in summed)
        sql = (
            f"SELECT {listed}, grouping({listed}) AS grouped, count(*) AS rows{sums} FROM ({_sql(table)}) AS t "
            f"GROUP BY GROUPING SETS ({chosen})"
        )
        for batch in self.batches(sql):
            found = batch.column("grouped").to_numpy(zero_copy_only=False)
            for i, mask in enumerate(masks):
                if (own := found == mask).any():
                    yield i, batch if own.all() else batch.filter(pa.array(own))

    def enumerated(self, column: str) -> Any:
        """See `Database.categories`: the values of an enumeration, in their order."""
        import pyarrow as pa

        kind = self._run(_sql(self.table.select(column).limit(0))).types[0]
        return pa.array(dict(kind.children)["values"], pa.string()) if kind.id == "enum" else None

    def has_table(self, name: str) -> bool:
        """See `Database.has_table`."""
        text = name.replace("'", "''")
        sql = f"SELECT 1 FROM information_schema.tables WHERE lower(table_name) = lower('{text}')"
        return bool(self._run(sql).fetchall())

    def _make_table(self, name: str, file: str) -> None:
        self._run(f"CREATE TABLE {_named(name)} AS SELECT * FROM read_parquet({quoted(file)})")

    def _batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        relation = self._run(expression if isinstance(expression, str) else _sql(expression))
        # DuckDB 2 renamed the method.
        reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
        yield from reader(rows)


def _sql(expression: Any) -> str:
    """Write an Ibis expression in the SQL of DuckDB."""
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb"))


def _named(name: str) -> str:
    """Name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def embedded_duckdb(ordered: bool) -> Callable[[str], Any]:
    """Open a database of our own that spills into a directory of its own; returns what runs SQL in it."""
    import duckdb

    spill, remove = scratch_folder(tempfile.gettempdir())
    connection = duckdb.connect(
        config={
            "memory_limit": f"{_MEMORY_MB}MB",
            "temp_directory": str(spill),
            "preserve_insertion_order": "true" if ordered else "false",
        }
    )
    # It is off already in a notebook without ipywidgets, where DuckDB refuses to be told so.
    if connection.sql("SELECT current_setting('enable_progress_bar')").fetchall() != [(False,)]:
        connection.sql("SET enable_progress_bar = false")

    def run(sql: str) -> Any:
        return connection.sql(sql)

    weakref.finalize(run, remove)
    return run

"""Where the rows are: one interface to DuckDB and to whatever else Ibis reaches."""

from __future__ import annotations

import tempfile
import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mixedsparse.data.formula.kinds import Sort, refusal
from mixedsparse.data.sources.parquet import Stamp
from mixedsparse.ground.errors import DataError, MixedSparseError
from mixedsparse.ground.files import scratch_folder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Database", "DuckDB", "IbisDatabase", "embedded_duckdb", "explained", "inside"]

# Rows of a batch that comes out of a database: a few megabytes.
_BATCH = 1_000_000
# What the embedded DuckDB may hold before it writes to disk, in megabytes; results live outside of it.
_MEMORY_MB = 1500
# Columns that DuckDB's grouping() tells apart.
_MOST_KEYS = 60
# Letters of what a database says that are shown.
_MOST = 300


class Database:
    """A table somewhere, and how to ask for it.

    Attributes
    ----------
    table : ibis Table
    name : str
        What messages call the source.
    stored : collection of str
        Names of the columns as they are stored: DuckDB renames those that it cannot tell apart.
    is_local : bool
        Whether rows come out of it as fast as they can be used.
    categories : callable
        Column to its categories in their order, a pyarrow Array, where the files keep one; None elsewhere.
    lost : Mapping
        Sorts of the columns that the files know to be more than the integers or fields that SQL reads.
    stamps : tuple of Stamp
        The files as they were when they were opened; they must stay so while they are read.
    """

    table: Any
    name: str
    stored: Collection[str] = ()
    is_local: bool = False
    categories: Callable[[str], Any] = staticmethod(lambda column: None)
    lost: Mapping[str, Sort] = MappingProxyType({})
    stamps: tuple[Stamp, ...] = ()
    # What to do where it cannot be read.
    mend = "Check that every file is complete and that its columns have the same types in all of them"
    _note: Callable[[int, int], None] | None = None
    _done = _expected = 0

    def watch(self, note: Callable[[int, int], None]) -> None:
        """Call `note` with the numbers of queries, done and in all, from now on."""
        self._note = note

    def expect(self, queries: int) -> None:
        """Say how many queries there are still to come."""
        self._expected = self._done + queries

    def key(self, value: Any) -> Any:
        """Return what distinct values are taken of, and joined on, for a factor's column or expression."""
        return value

    def check_names(self, used: Collection[str]) -> None:
        """Refuse columns that others are called like; SQL does not tell upper case from lower.

        Raises
        ------
        DataError
            Two columns have one of the names `used`.
        """
        named = defaultdict(list)
        for name in self.stored:
            named[name.casefold()].append(name)
        for name in used:
            if len(alike := named[name.casefold()]) > 1:
                raise DataError(
                    f"The columns {', '.join(map(repr, alike))} of {inside(self.name)} have one name in SQL, which "
                    "does not tell upper case from lower: rename all but one."
                )

    def check_sorts(self, used: Collection[str]) -> None:
        """Refuse columns that SQL would read as integers though they are none.

        Raises
        ------
        DataError
            One of `used` holds periods, durations or intervals.
        """
        for name in used:
            if name in self.lost:
                raise refusal(self.lost[name], f"The column {name!r} of {inside(self.name)}")

    def batches(self, expression: Any, rows: int = _BATCH) -> Iterator[pa.RecordBatch]:
        """Rows of an Ibis table expression, in batches of about `rows`.

        Raises
        ------
        DataError
            The database could not do it; its own words are in the message.
        """
        with self.guarded("could not be read", self.mend):
            yield from self._batches(expression, rows)
        self._check_same()
        self._done += 1
        if self._note is not None:
            self._note(self._done, max(self._done + 1, self._expected))

    def read(self, expression: Any) -> pa.Table:
        """All rows of an Ibis table expression with few of them."""
        import pyarrow as pa

        batches = list(self.batches(expression))
        return pa.Table.from_batches(batches) if batches else expression.schema().to_pyarrow().empty_table()

    def grouped(
        self, table: Any, sets: Sequence[Sequence[str]], summed: Sequence[str] = ()
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Group the rows of an Ibis table by each of several sets of its columns.

        Yields the position of a set and a batch of its groups: the columns of the set, the number ``rows`` of rows, and
        the sums of the columns `summed`.
        """
        for i, keys in enumerate(sets):
            sums = {name: table[name].sum() for name in summed}
            for batch in self.batches(table.group_by(list(keys)).aggregate(rows=table.count(), **sums)):
                yield i, batch

    @contextmanager
    def guarded(self, what: str, mend: str) -> Iterator[None]:
        """Context in which errors of the database become ours; the reason may be a file that has changed."""
        try:
            with explained(self.name, what, mend):
                yield
        except DataError:
            self._check_same()
            raise

    def _check_same(self) -> None:
        for stamp in self.stamps:
            stamp.check_same()

    def _batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError


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


class IbisDatabase(Database):
    """A table expression of any other back end of Ibis."""

    mend = (
        "Check that the connection is open; where the database cannot compute what the formula asks for, add it as a "
        "column, or write the rows to a Parquet file and fit that"
    )

    def __init__(self, table: Any, name: str) -> None:
        self.table, self.name = table, name

    def key(self, value: Any) -> Any:
        """See `Database.key`: text for text of any kind, since enumerations and identifiers are not joined to it."""
        if value.type().is_uuid():
            return value.cast("string")
        return value + "" if value.type().is_string() else value

    def _batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        yield from expression.to_pyarrow_batches(chunk_size=rows)


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


@contextmanager
def explained(name: str, what: str, mend: str) -> Iterator[None]:
    """Context in which errors about the source `name` become ours, and Ctrl-C as DuckDB reports it becomes Python's."""
    try:
        yield
    except MixedSparseError:
        raise
    except Exception as err:
        if _is_interrupt(err):
            raise KeyboardInterrupt from err
        raise DataError(f"{name} {what}: {_first_lines(err)}. {mend}.") from err


def _is_interrupt(err: Exception) -> bool:
    """Whether this is Ctrl-C as DuckDB reports it; a file may be called "interrupted", and be damaged."""
    if type(err).__name__ == "InterruptException":
        return True
    return str(err).startswith("Query interrupted") or "INTERRUPT Error: Interrupted" in str(err)


def inside(name: str) -> str:
    """Name of a source inside a sentence."""
    return name[0].lower() + name[1:]


def _first_lines(err: Exception) -> str:
    text = " ".join(str(err).strip().split("\n")[:2]) or type(err).__name__
    return text[:_MOST].rstrip(". ")

"""Where the rows are: one interface to DuckDB (`mixedsparse.data.sources.duck`) and to whatever else Ibis reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mixedsparse.data.formula.kinds import Sort, refusal
from mixedsparse.data.sources.parquet import Stamp
from mixedsparse.ground.errors import DataError, MixedSparseError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH", "Database", "IbisDatabase", "explained", "inside"]

# Rows of a batch that comes out of a database: a few megabytes.
BATCH = 1_000_000
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
    takes_tables : bool
        Whether tables can be made beside that of the source.
    categories : callable
        Column to its categories in their order, a pyarrow Array, where files or types keep one; None elsewhere.
    lost : Mapping
        Sorts of the columns that the files know to be more than the integers or fields that SQL reads.
    stamps : tuple of Stamp
        The files as they were when they were opened; they must stay so while they are read.
    """

    table: Any
    name: str
    stored: Collection[str] = ()
    is_local: bool = False
    takes_tables: bool = False
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

    def batches(self, expression: Any, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
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

    def has_table(self, name: str) -> bool:
        """Whether the database has a table or a view of that name."""
        raise NotImplementedError

    def make_table(self, name: str, file: str) -> None:
        """Make a table of the rows of a Parquet file, where `takes_tables`.

        Raises
        ------
        DataError
            The database would not take it.
        """
        with self.guarded(f"would not take the table {name!r}", "See that it may be written to"):
            self._make_table(name, file)

    def _make_table(self, name: str, file: str) -> None:
        raise NotImplementedError

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


class IbisDatabase(Database):
    """A table expression of any other back end of Ibis."""

    mend = (
        "Check that the connection is open; where the database cannot compute what the formula asks for, add it as a "
        "column, or write the rows to a Parquet file and fit that"
    )

    takes_tables = True

    def __init__(self, table: Any, name: str, backend: Any) -> None:
        self.table, self.name, self._backend = table, name, backend
        self.categories = self.enumerated

    def enumerated(self, column: str) -> Any:
        """See `Database.categories`: the values of an enumeration of PostgreSQL, in their order."""
        import ibis
        import pyarrow as pa

        if self._backend.name != "postgres" or not self.table[column].type().is_string():
            return None
        one = ibis.to_sql(self.table.select(value=self.table[column]).limit(1), dialect="postgres")
        sql = (
            "SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = "
            f"(SELECT pg_typeof(value)::oid FROM ({one}) AS t) ORDER BY enumsortorder"
        )
        with self.guarded("could not be read", self.mend), closing(self._backend.raw_sql(sql)) as cursor:
            values = [value for (value,) in cursor.fetchall()]
        return pa.array(values, pa.string()) if values else None

    def has_table(self, name: str) -> bool:
        """See `Database.has_table`."""
        return name in self._backend.list_tables()

    def _make_table(self, name: str, file: str) -> None:
        import ibis
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as opened:
            self._backend.create_table(name, schema=ibis.Schema.from_pyarrow(opened.schema_arrow))
            try:
                for batch in opened.iter_batches():
                    self._backend.insert(name, ibis.memtable(pa.Table.from_batches([batch])))
            except BaseException:
                self._backend.drop_table(name)
                raise

    def key(self, value: Any) -> Any:
        """See `Database.key`: text for text of any kind, since enumerations and identifiers are not joined to it."""
        if value.type().is_uuid():
            return value.cast("string")
        return value + "" if value.type().is_string() else value

    def _batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        yield from expression.to_pyarrow_batches(chunk_size=rows)


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

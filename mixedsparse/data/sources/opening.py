"""From what the user gives, a path, a glob, a DuckDB relation or an Ibis table, to a database."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from typing import Any

from mixedsparse.data.sources.categories import categories
from mixedsparse.data.sources.database import Database, IbisDatabase, explained
from mixedsparse.data.sources.duck import DuckDB, embedded_duckdb
from mixedsparse.data.sources.parquet import Stamp, check_file, check_types, find_files, quoted, sorts_lost
from mixedsparse.ground.errors import BackendError, DataError

__all__ = ["is_source", "location_of", "open_source"]

_EXTRA = "pip install 'mixedsparse[big]'"


def is_source(data: Any) -> bool:
    """Whether `data` stay where they are: text and paths do, and tables of DuckDB and Ibis."""
    return isinstance(data, (str, os.PathLike)) or _is_remote(type(data))


@lru_cache(maxsize=64)
def _is_remote(data: type) -> bool:
    """Whether objects of this class are tables of DuckDB or Ibis, which need not be there."""
    return any(
        kind.__module__.split(".")[0] in ("duckdb", "_duckdb", "ibis")
        and kind.__name__ in ("DuckDBPyRelation", "Table")
        for kind in data.__mro__
    )


def location_of(data: Any) -> str | None:
    """Return the full path of files, since the working directory may be another one later; None for tables."""
    return os.path.abspath(data) if isinstance(data, (str, os.PathLike)) else None


def open_source(data: Any, *, ordered: bool = False) -> Database:
    """Open a source; `ordered` keeps the rows of files in their order, which takes a little more memory.

    Raises
    ------
    BackendError
        DuckDB or Ibis is not installed.
    DataError
        There is no such file, or a file is damaged, or files of a glob do not go together.
    """
    try:
        import duckdb  # noqa: F401
        import ibis
    except ImportError as err:
        raise BackendError(f"Reading from {_shown(data)} needs DuckDB and Ibis: {_EXTRA}.") from err
    if isinstance(data, (str, os.PathLike)):
        return _open_files(os.fspath(data), ordered)
    if not is_source(data):
        raise DataError(
            f"The source is of type {type(data).__name__}: give the path of a Parquet file, a directory or a glob, a "
            "DuckDB relation or an Ibis table."
        )
    what = "Ibis table" if isinstance(data, ibis.Table) else "DuckDB relation"
    with explained(f"The {what}", "cannot be read", "See that its connection is open and that its tables are there"):
        return _open_ibis(data) if isinstance(data, ibis.Table) else _open_relation(data)


def _shown(data: Any) -> str:
    return repr(os.fspath(data)) if isinstance(data, (str, os.PathLike)) else f"a {type(data).__name__}"


def _open_relation(relation: Any) -> Database:
    import ibis

    schema = ibis.Schema.from_pyarrow(_arrow_schema(relation))
    name = "_mixedsparse_source"

    def run(sql: str) -> Any:
        return relation.query(name, sql)

    database = DuckDB(ibis.table(schema, name=name), "The DuckDB relation", run)
    database.stored, database.takes_tables = relation.columns, True
    return database


def _arrow_schema(relation: Any) -> Any:
    empty = relation.limit(0)
    return (getattr(empty, "to_arrow_table", None) or empty.fetch_arrow_table)().schema


def _open_ibis(table: Any) -> Database:
    backend = table._find_backend(use_default=True)
    name = f"The Ibis table of {backend.name}"
    if backend.name != "duckdb":
        return IbisDatabase(table, name, backend)
    with warnings.catch_warnings():
        # Ibis 12 calls what DuckDB 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        table.limit(0).to_pyarrow()  # registers tables in memory that the expression may rest on

    database = DuckDB(table, name, backend.con.sql)
    database.takes_tables = True
    return database


def _open_files(pattern: str, ordered: bool) -> Database:
    import ibis
    import pyarrow.parquet as pq

    files = find_files(pattern)
    for file in files:
        check_file(file)
    stamps = tuple(Stamp.of(file) for file in files)
    run = embedded_duckdb(ordered)
    listed = ", ".join(quoted(file) for file in files)
    name = f"The source {pattern!r}"
    mend = "Write the file again" if len(files) == 1 else "Write the files again, all with the same columns"
    with explained(name, "is damaged, or holds what DuckDB cannot read", mend):
        check_types(run, listed, files)
        run(f"CREATE VIEW source AS SELECT * FROM read_parquet([{listed}], union_by_name = {len(files) > 1})")
        schema = ibis.Schema.from_pyarrow(_arrow_schema(run("SELECT * FROM source")))
        stored, lost = pq.read_schema(files[0]).names, sorts_lost(files[0])
    database = DuckDB(ibis.table(schema, name="source"), name, run)
    database.stored, database.lost, database.stamps = stored, lost, stamps

    def ordered_levels(column: str) -> Any:
        with database.guarded("could not be read", mend):
            return categories(files, column)

    database.categories = ordered_levels
    return database

"""From what the user gives, a path, a glob, a DuckDB relation or an Ibis table, to a database."""

from __future__ import annotations

import glob
import os
import warnings
from pathlib import Path
from typing import Any

from mixedsparse.errors import BackendError, DataError
from mixedsparse.sources.database import Database, DuckDB, IbisDatabase, embedded_duckdb

__all__ = ["files_of", "is_source", "open_source"]

_MAGIC = b"PAR1"
_EXTRA = "pip install 'mixedsparse[big]'"


def is_source(data: Any) -> bool:
    """Whether `data` stay where they are: text and paths do, and tables of DuckDB and Ibis."""
    if isinstance(data, (str, os.PathLike)):
        return True
    return any(
        kind.__module__.split(".")[0] in ("duckdb", "_duckdb", "ibis")
        and kind.__name__ in ("DuckDBPyRelation", "Table")
        for kind in type(data).__mro__
    )


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """Files that a path, a directory or a glob stands for."""
    return [Path(file).resolve() for file in _files(os.fspath(path))]


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
    if isinstance(data, ibis.Table):
        return _open_ibis(data)
    return _open_relation(data)


def _shown(data: Any) -> str:
    return repr(os.fspath(data)) if isinstance(data, (str, os.PathLike)) else f"a {type(data).__name__}"


def _open_relation(relation: Any) -> Database:
    import ibis

    schema = ibis.Schema.from_pyarrow(_arrow_schema(relation))
    name = "_mixedsparse_source"

    def run(sql: str, uploaded: Any) -> Any:
        return relation.query(name, sql)

    return DuckDB(ibis.table(schema, name=name), "The DuckDB relation", run)


def _arrow_schema(relation: Any) -> Any:
    empty = relation.limit(0)
    return (getattr(empty, "to_arrow_table", None) or empty.fetch_arrow_table)().schema


def _open_ibis(table: Any) -> Database:
    backend = table._find_backend(use_default=True)
    name = f"The Ibis table of {backend.name}"
    if backend.name != "duckdb":
        return IbisDatabase(table, name)
    with warnings.catch_warnings():
        # Ibis 12 calls what DuckDB 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        table.limit(0).to_pyarrow()  # registers tables in memory that the expression may rest on

    def run(sql: str, uploaded: Any) -> Any:
        if uploaded is None:
            return backend.con.sql(sql)
        # Ibis turns off what lets SQL see the names of Python.
        backend.con.register("uploaded", uploaded)
        backend.con.execute(sql)
        backend.con.unregister("uploaded")

    return DuckDB(table, name, run)


def _open_files(pattern: str, ordered: bool) -> Database:
    import ibis

    files = _files(pattern)
    for file in files:
        _check_file(file)
    run = embedded_duckdb(ordered)
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    _check_types(run, listed, files)
    run(f"CREATE VIEW source AS SELECT * FROM read_parquet([{listed}], union_by_name = {len(files) > 1})", None)
    schema = ibis.Schema.from_pyarrow(_arrow_schema(run("SELECT * FROM source", None)))
    return DuckDB(ibis.table(schema, name="source"), f"The source {pattern!r}", run)


def _files(pattern: str) -> list[str]:
    """Files that a path, a directory or a glob stands for."""
    if os.path.isfile(pattern):
        return [pattern]
    if os.path.isdir(pattern):
        files = sorted(map(str, Path(pattern).rglob("*.parquet")))
        if not files:
            raise DataError(f"The directory {pattern!r} holds no file '*.parquet': give a glob that finds the files.")
        return files
    if glob.has_magic(pattern):
        files = sorted(file for file in glob.glob(pattern, recursive=True) if os.path.isfile(file))
        if not files:
            raise DataError(
                f"No file matches {pattern!r} (seen from {os.getcwd()!r}): correct the pattern, or write '**' for "
                "directories at any depth."
            )
        return files
    if "~" in pattern or os.sep in pattern or "." in pattern:
        raise DataError(f"There is no file {pattern!r} (seen from {os.getcwd()!r}): correct the path.")
    raise DataError(
        f"The data are the text {pattern!r}, which is no file: give a data frame, a dict of columns, or the path of a "
        "Parquet file."
    )


def _check_file(file: str) -> None:
    """Refuse a file that does not begin and end as Parquet does."""
    with open(file, "rb") as stream:
        begin = stream.read(4)
        stream.seek(0, os.SEEK_END)
        size = stream.tell()
        stream.seek(max(size - 4, 0))
        end = stream.read(4)
    if begin == _MAGIC and end == _MAGIC:
        return
    if begin == _MAGIC:
        raise DataError(f"The Parquet file {file!r} ends too early ({size:,} bytes): it is damaged. Write it again.")
    raise DataError(
        f"{file!r} is not a Parquet file: convert it, e.g. with pandas.read_csv(...).to_parquet(...), or read it into "
        "a data frame."
    )


def _check_types(run: Any, listed: str, files: list[str]) -> None:
    """Refuse files in which a column is missing or of another kind than in the first; files without rows may differ."""
    import duckdb

    try:
        rows = run(
            f"SELECT file_name, name, duckdb_type FROM parquet_schema([{listed}]) "
            f"JOIN parquet_file_metadata([{listed}]) USING (file_name) WHERE num_rows > 0 AND duckdb_type IS NOT NULL "
            "ORDER BY file_name, name",
            None,
        ).fetchall()
    except duckdb.Error as err:
        reason = str(err).splitlines()[0]
        raise DataError(f"A Parquet file is damaged (the first is {files[0]!r}): {reason}. Write it again.") from err
    columns: dict[str, dict[str, str]] = {}
    for file, name, kind in rows:
        columns.setdefault(file, {})[name] = kind
    first = next(iter(columns), None)
    for file, found in columns.items():
        assert first is not None
        for name, kind in found.items():
            expected = columns[first].get(name)
            if expected is not None and _family(kind) != _family(expected):
                raise DataError(
                    f"The column {name!r} is {expected} in {first!r} and {kind} in {file!r}: write all files with the "
                    "same types."
                )
        absent = set(columns[first]).symmetric_difference(found)
        if absent:
            name = sorted(absent)[0]
            having, lacking = (first, file) if name in columns[first] else (file, first)
            raise DataError(f"The column {name!r} is in {having!r} but not in {lacking!r}: write all files alike.")


def _family(kind: str) -> str:
    """Kinds of numbers go together; anything else only with itself."""
    kind = kind.split("(")[0].upper()
    return "number" if kind.lstrip("U") in _NUMBERS else kind


_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}

"""From what the user gives, a path, a glob, a DuckDB relation or an Ibis table, to a database."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mixedsparse.errors import BackendError, DataError
from mixedsparse.sources.database import Database, DuckDB, IbisDatabase, embedded_duckdb

__all__ = ["files_of", "is_source", "open_source", "would_read"]

# A drive of Windows has one letter, and pathlib leaves one slash of two.
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
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


def would_read(path: str | os.PathLike[str], file: str | os.PathLike[str]) -> bool:
    """Whether a directory or a glob stands for `file` too, once that is there."""
    pattern, name = os.path.realpath(path), os.path.realpath(file)
    if os.path.isfile(pattern):
        return pattern == name
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "**", "*.parquet")
    return _matches(Path(name).parts, Path(pattern).parts)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not parts or not pattern:
        return not parts and not pattern
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern) or len(parts) == len(pattern) == 1
    return fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


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
    if not is_source(data):
        raise DataError(
            f"The source is of type {type(data).__name__}: give the path of a Parquet file, a directory or a glob, a "
            "DuckDB relation or an Ibis table."
        )
    return _open_relation(data)


def _shown(data: Any) -> str:
    return repr(os.fspath(data)) if isinstance(data, (str, os.PathLike)) else f"a {type(data).__name__}"


def _open_relation(relation: Any) -> Database:
    import ibis

    schema = ibis.Schema.from_pyarrow(_arrow_schema(relation))
    name = "_mixedsparse_source"

    def run(sql: str, uploaded: Any) -> Any:
        return relation.query(name, sql)

    database = DuckDB(ibis.table(schema, name=name), "The DuckDB relation", run)
    database.stored = relation.columns
    return database


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
    import pyarrow.parquet as pq

    files = _files(pattern)
    for file in files:
        _check_file(file)
    run = embedded_duckdb(ordered)
    listed = ", ".join(_quoted(file) for file in files)
    _check_types(run, listed, files)
    run(f"CREATE VIEW source AS SELECT * FROM read_parquet([{listed}], union_by_name = {len(files) > 1})", None)
    schema = ibis.Schema.from_pyarrow(_arrow_schema(run("SELECT * FROM source", None)))
    database = DuckDB(ibis.table(schema, name="source"), f"The source {pattern!r}", run)
    database.stored = pq.read_schema(files[0]).names
    database.categories = lambda column: _categories(files, column)
    return database


def _categories(files: list[str], column: str) -> Any:
    """Categories of a categorical column, as pandas would read them from the first file with rows; None of any other.

    DuckDB reads their values only, and would leave the order to the alphabet. Categories that are numbers are numbers
    again in a file, for pandas too.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        with pq.ParquetFile(file) as opened:
            schema = opened.schema_arrow
            if column not in schema.names or not pa.types.is_dictionary(schema.field(column).type):
                return None
            if opened.metadata.num_rows:
                values = opened.read_row_group(0, columns=[column]).column(column)
                return values.unify_dictionaries().chunk(0).dictionary
    return None


def _quoted(file: str) -> str:
    """One file in SQL: DuckDB takes ``data[1].parquet`` for a pattern, and would read ``data1.parquet`` instead."""
    return "'" + glob.escape(file).replace("'", "''") + "'"


def _files(pattern: str) -> list[str]:
    """Files that a path, a directory or a glob stands for."""
    if os.path.isfile(pattern):
        return [pattern]
    if _REMOTE.match(pattern):
        raise DataError(
            f"{pattern!r} is not on this machine: give the relation duckdb.read_parquet({pattern!r}) instead; DuckDB "
            "reads https://, s3:// and the like with its extension httpfs."
        )
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
        # Parts of nested columns are listed as well, and several may have one name: a name has a list of types.
        rows = run(
            "SELECT file_name, name, list(duckdb_type ORDER BY duckdb_type) "
            f"FROM parquet_schema([{listed}]) JOIN parquet_file_metadata([{listed}]) USING (file_name) "
            "WHERE num_rows > 0 AND duckdb_type IS NOT NULL GROUP BY file_name, name ORDER BY file_name, name",
            None,
        ).fetchall()
    except duckdb.Error as err:
        reason = str(err).splitlines()[0]
        raise DataError(f"A Parquet file is damaged (the first is {files[0]!r}): {reason}. Write it again.") from err
    columns: dict[str, dict[str, list[str]]] = {}
    for file, name, kinds in rows:
        columns.setdefault(file, {})[name] = kinds
    first = next(iter(columns), None)
    typed: dict[str, tuple[str, list[str]]] = {}
    for file, found in columns.items():
        assert first is not None
        for name, kinds in found.items():
            if kinds == [_NO_TYPE]:
                continue
            before, expected = typed.setdefault(name, (file, kinds))
            if sorted(map(_family, kinds)) != sorted(map(_family, expected)):
                raise DataError(
                    f"The column {name!r} is {', '.join(expected)} in {before!r} and {', '.join(kinds)} in {file!r}: "
                    "write all files with the same types."
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
# What a column is in which every value is missing: it goes with any type.
_NO_TYPE = '"NULL"'

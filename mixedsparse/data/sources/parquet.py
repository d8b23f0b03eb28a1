"""Parquet files: which ones a path stands for, whether they are whole, go together, and stay as they are."""

from __future__ import annotations

import base64
import fnmatch
import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixedsparse.data.formula.kinds import Sort
from mixedsparse.ground.errors import DataError

__all__ = [
    "Stamp",
    "check_file",
    "check_types",
    "files_of",
    "find_files",
    "quoted",
    "sorts_lost",
    "would_read",
]

# A drive of Windows has one letter, and pathlib leaves one slash of two.
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_MAGIC = b"PAR1"
_EXTENSIONS = {"pandas.period": Sort.PERIODS, "pandas.interval": Sort.INTERVALS}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one state of a file from another.

    Attributes
    ----------
    path : str
    size, modified, number : int
        Bytes, time of the last change in nanoseconds, and the number of the file in its file system.
    footer : str
        SHA-256 of the footer, which lists where every column is and its least and greatest values.
    """

    path: str
    size: int
    modified: int
    number: int
    footer: str

    @classmethod
    def of(cls, file: str) -> Stamp:
        """Stamp of a file as it is now.

        Raises
        ------
        DataError
            It cannot be read.
        """
        try:
            with open(file, "rb") as stream:
                state = os.fstat(stream.fileno())
                stream.seek(max(state.st_size - 8, 0))
                length = int.from_bytes(stream.read(8)[:4], "little")
                stream.seek(max(state.st_size - 8 - length, 0))
                footer = hashlib.sha256(stream.read()).hexdigest()
        except OSError as err:
            raise _unreadable(file, err) from err
        return cls(file, state.st_size, state.st_mtime_ns, state.st_ino, footer)

    def check_same(self) -> None:
        """Refuse a file that is not what it was when it was opened."""
        try:
            state = os.stat(self.path)
        except OSError as err:
            raise DataError(
                f"The file {self.path!r} went away while it was read ({err.strerror}): fit again when it is back."
            ) from err
        if (state.st_size, state.st_mtime_ns, state.st_ino) != (self.size, self.modified, self.number):
            raise DataError(
                f"The file {self.path!r} was changed while it was read: fit again when nothing writes to it, or fit a "
                "copy."
            )

    def has_contents_of(self, other: Stamp) -> bool:
        """Whether a file has the contents that another had, as its size and footer tell; copies have them."""
        same_file = (self.modified, self.number) == (other.modified, other.number)
        return self.size == other.size and (same_file or self.footer == other.footer)


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """Files that a path, a directory or a glob stands for."""
    return [Path(file).resolve() for file in find_files(os.fspath(path))]


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


def sorts_lost(file: str) -> dict[str, Sort]:
    """Columns of a file, by the Arrow schema that pandas and polars write beside that of Parquet, that SQL misreads."""
    import pyarrow.parquet as pq

    fields = [*pq.read_schema(file), *_written(file)]
    return {field.name: sort for field in fields if (sort := _sort_lost(field)) is not None}


def _written(file: str) -> Any:
    """Fields with which a file was written: categories that are durations come back as integers, for Arrow too."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = (pq.read_metadata(file).metadata or {}).get(b"ARROW:schema")
    try:
        return () if kept is None else pa.ipc.read_schema(pa.py_buffer(base64.b64decode(kept)))
    except (ValueError, pa.ArrowException):
        return ()


def _sort_lost(field: Any) -> Sort | None:
    """Sort of an Arrow field that is an integer, or has fields of its own, in the eyes of SQL; None of any other."""
    import pyarrow as pa

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_duration(kind):
        return Sort.DURATIONS
    # The types of pandas are known to Arrow only where pandas has told it of them.
    name = getattr(kind, "extension_name", None) or (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    return _EXTENSIONS.get(name)


def quoted(file: str) -> str:
    """One file in SQL: DuckDB takes ``data[1].parquet`` for a pattern, and would read ``data1.parquet`` instead."""
    return "'" + glob.escape(file).replace("'", "''") + "'"


def find_files(pattern: str) -> list[str]:
    """Files that a path, a directory or a glob stands for."""
    if os.path.isfile(pattern):
        return [pattern]
    if _REMOTE.match(pattern):
        raise DataError(
            f"{pattern!r} is not on this machine: give the relation duckdb.read_parquet({pattern!r}) instead; DuckDB "
            "reads https://, s3:// and the like with its extension httpfs."
        )
    if os.path.isdir(pattern):
        files = sorted(_inside(pattern))
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


def _inside(directory: str) -> Iterator[str]:
    """Files ``*.parquet`` at any depth; a directory may be called so too, and holds the parts of a table then."""

    def refuse(err: OSError) -> None:
        raise _unreadable(str(err.filename), err)

    for folder, _, names in os.walk(directory, onerror=refuse):
        for name in names:
            path = os.path.join(folder, name)
            if not name.endswith(".parquet"):
                continue
            if not os.path.exists(path):
                raise DataError(f"{path!r} is a link to a file that is not there: remove it, or bring the file back.")
            if os.path.isfile(path):
                yield path


def _unreadable(file: str, err: OSError) -> DataError:
    return DataError(f"{file!r} cannot be read: {err.strerror or err}. See that it is there and that you may read it.")


def check_file(file: str) -> None:
    """Refuse a file that does not begin and end as Parquet does."""
    try:
        with open(file, "rb") as stream:
            begin = stream.read(4)
            stream.seek(0, os.SEEK_END)
            size = stream.tell()
            stream.seek(max(size - 4, 0))
            end = stream.read(4)
    except OSError as err:
        raise _unreadable(file, err) from err
    if begin == _MAGIC and end == _MAGIC:
        return
    if begin == _MAGIC:
        raise DataError(f"The Parquet file {file!r} ends too early ({size:,} bytes): it is damaged. Write it again.")
    raise DataError(
        f"{file!r} is not a Parquet file: convert it, e.g. with pandas.read_csv(...).to_parquet(...), or read it into "
        "a data frame."
    )


def check_types(run: Any, listed: str, files: list[str]) -> None:
    """Refuse files in which a column is missing or of another kind than in the first; files without rows may differ."""
    import duckdb

    try:
        # Parts of nested columns are listed as well, and several may have one name: a name has a list of types.
        rows = run(
            "SELECT file_name, name, list(duckdb_type ORDER BY duckdb_type) "
            f"FROM parquet_schema([{listed}]) JOIN parquet_file_metadata([{listed}]) USING (file_name) "
            "WHERE num_rows > 0 AND duckdb_type IS NOT NULL GROUP BY file_name, name ORDER BY file_name, name"
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

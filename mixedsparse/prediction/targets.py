"""Where predictions are written to: a Parquet file, or a table of a database. Either is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.parquet import files_of, would_read
from mixedsparse.ground.errors import OptionError, StorageError
from mixedsparse.ground.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_file", "check_table", "table_writer", "writer"]

Write = Callable[["pa.Table"], None]
_SUFFIXES = ("", ".parquet", ".parq", ".pq")
# What a file that is on its way to a database ends in.
_PART = "rows.parquet"


def check_file(target: Path, source: Any) -> None:
    """Refuse a target that cannot be written, is called something else than Parquet, or belongs to the source."""
    # A number at the end is no suffix, as in "fit.2026".
    if target.suffix.lower() not in _SUFFIXES and not target.suffix[1:].isdigit():
        raise OptionError(
            f"{target.name!r} would be a Parquet file: call it {target.with_suffix('.parquet').name!r}; "
            "pandas.read_parquet(...) reads it, and writes other formats."
        )
    if not target.parent.is_dir():
        raise OptionError(f"There is no directory {str(target.parent)!r} to write {target.name!r} to: make it first.")
    if target.is_dir():
        raise OptionError(f"{str(target)!r} is a directory: give the path of a file to write.")
    if isinstance(source, (str, os.PathLike)) and target.exists() and target.resolve() in files_of(source):
        raise OptionError(f"{str(target)!r} is a file of the source itself: write to another path.")
    if isinstance(source, (str, os.PathLike)) and would_read(source, target):
        raise OptionError(
            f"{str(target)!r} would be read as a part of the source {os.fspath(source)!r} next time: write to another "
            "directory."
        )


def check_table(name: str, database: Database) -> None:
    """Refuse a table that is there already, or a source that is no table of a database."""
    if not database.takes_tables:
        raise OptionError(
            f"table={name!r} is made in the database of the source, and {database.name} is none: give path= instead, "
            "or source= as a DuckDB relation or a table of Ibis."
        )
    if database.has_table(name):
        raise OptionError(f"There is a table {name!r} already: drop it first, or give another name.")


@contextmanager
def writer(target: Path) -> Iterator[Write]:
    """Write to a part beside `target`, which changes only when everything is written."""
    import pyarrow.parquet as pq

    made = None

    def write(table: pa.Table) -> None:
        nonlocal made
        with _explained(target):
            made = made or pq.ParquetWriter(part, table.schema)
            made.write_table(table)

    with _explained(target), replacing(target) as part:
        try:
            yield write
        finally:
            if made is not None:
                made.close()


@contextmanager
def table_writer(name: str, database: Database) -> Iterator[Write]:
    """Write to a file, whose rows become a table of the database when all of them are there."""
    with tempfile.TemporaryDirectory(prefix="mixedsparse-") as folder:
        part = Path(folder) / _PART
        with writer(part) as write:
            yield write
        database.make_table(name, str(part))


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Context in which what the system says of a file that is written names it: no room, no permission."""
    try:
        yield
    except OSError as err:
        raise StorageError(f"{target} cannot be written: {err.strerror or err}. What was there is as it was.") from err

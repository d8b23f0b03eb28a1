"""Tables larger than memory, written to Parquet batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["write_batches"]


def write_batches(path: str | Path, batches: Iterable[dict[str, np.ndarray]]) -> int:
    """Write batches of the same columns and types, each a row group or more; return the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = 0
    with ExitStack() as stack:
        writer = None
        for batch in batches:
            table = pa.table(batch)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)
            written += table.num_rows
    return written

"""Results to a file."""

from __future__ import annotations

import os

from mixedsparse.results.base import ResultsBase

__all__ = ["SavingMixin"]


class SavingMixin(ResultsBase):
    """Storage side of `MixedResults`."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the results to a file that `mixedsparse.load` reads.

        Parameters
        ----------
        path : str or path
            Overwritten if it is there, in one step: an interrupted save leaves the old file as it was.

        Raises
        ------
        StorageError
            The model holds values of a class from outside numpy, scipy, pandas, pyarrow and formulaic.

        Notes
        -----
        A compressed archive with a header (``header.json``: versions, formula, checksum) and the results to the last
        bit, the columns of the data that the formula uses among them. Functions of the session that the formula uses
        are kept by name: define them before loading.

        Examples
        --------
        >>> import tempfile, pathlib, mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.save(pathlib.Path(folder) / "dyestuff.fit")
        """
        from mixedsparse.storage import save

        save(self, path)  # type: ignore[arg-type]

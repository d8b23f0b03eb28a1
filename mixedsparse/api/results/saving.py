"""Results to a file."""

from __future__ import annotations

import os

from mixedsparse.api.results.base import ResultsBase

__all__ = ["SavingMixin"]


class SavingMixin(ResultsBase):
    """Storage side of `MixedResults`."""

    def save(self, path: str | os.PathLike[str], *, data: bool = True) -> None:
        """Write the results to a file that `mixedsparse.load` reads.

        Parameters
        ----------
        path : str or path
            Overwritten if it is there, in one step: an interrupted save leaves the old file as it was. A link stays a
            link, and a file keeps its permissions.
        data : bool
            False leaves the rows of the data out: estimates, tests, the summary, `emmeans` and `predict(newdata)` stay;
            what needs observations raises a RowsElsewhereError, as after a fit to a source.

        Raises
        ------
        StorageError
            The file cannot be written, or the model holds values that are no data: of a class from outside numpy and
            pandas, or contrasts of a class of your own.

        Notes
        -----
        A compressed archive of plain data: a header (``header.json``: versions, formula, checksums), names and numbers
        (``results.json``), and arrays to the last bit; no code. Functions of the session that the formula uses are
        code: their names are kept, and `mixedsparse.load` finds them in the session that reads, so define them before.

        Examples
        --------
        >>> import tempfile, pathlib, mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.save(pathlib.Path(folder) / "dyestuff.fit", data=False)
        ...     again = ms.load(pathlib.Path(folder) / "dyestuff.fit")
        >>> again.varcorr()["sdcor"].round(1).tolist()
        [42.0, 49.5]
        """
        from mixedsparse.api.storage import save

        save(self._fitted, path, data)

"""Results of the look-alike in files, and without the rows."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results import MixedResults
from mixedsparse.compat.structure import without_rows
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from mixedsparse.compat.facts import FactsMixin

__all__ = ["StoringMixin"]


class StoringMixin(Answers):
    """Storage side of `MixedLMResults`."""

    model: FactsMixin
    _mixed: MixedResults

    def save(self, fname: str | os.PathLike[str], remove_data: bool = False) -> None:
        """Write the results to a file, a pickle as statsmodels writes; ``mixed.save`` writes plain data.

        Parameters
        ----------
        fname : str or path
        remove_data : bool
            Whether to leave the rows out; see `remove_data`.
        """
        if remove_data:
            self.remove_data()
        Path(fname).write_bytes(pickle.dumps(self, protocol=5))

    @classmethod
    def load(cls, fname: str | os.PathLike[str]) -> Any:
        """Read results that `save` has written; only from people whose scripts you would run, as it is a pickle."""
        found = pickle.loads(Path(fname).read_bytes())
        if not isinstance(found, cls):
            raise OptionError(f"{os.fspath(fname)} holds {type(found).__name__}, not results of a mixed model.")
        return found

    def remove_data(self) -> None:
        """Let go of the response and the fixed part: what needs them, such as `resid`, raises RowsElsewhereError.

        Parameters, their errors, tests, random effects and the summary stay.
        """
        for name in ("_errors", "random_effects"):  # these need the rows once
            getattr(self, name)
        self.model.remove_rows()
        self._mixed = MixedResults._of(Fitted(without_rows(self._mixed.model), self._mixed.fit))

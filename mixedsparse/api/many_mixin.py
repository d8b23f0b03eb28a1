"""Many responses of one model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mixedsparse.fitted.model import Model
from mixedsparse.ground.choices import ManyDdf
from mixedsparse.ground.progress import CountOption

if TYPE_CHECKING:
    from mixedsparse.api.many import ManyResults

__all__ = ["ManyMixin"]


class ManyMixin(Model):
    """Side of `LinearMixedModel` that fits other responses."""

    def fit_many(
        self,
        Y: Any,
        *,
        reml: bool = True,
        L: Any = None,
        ddf: ManyDdf = "satterthwaite",
        n_jobs: int = 1,
        out: str | os.PathLike[str] | None = None,
        progress: CountOption = None,
    ) -> ManyResults:
        """Fit the model to each of many responses; see `mixedsparse.fit_many`.

        Parameters
        ----------
        Y : array (n, r), frame, or path of a Parquet file
            A column for each response; its rows are those of the model, which left out what was missing. Pandas objects
            go by their index.
        reml, L, ddf, n_jobs, out, progress
            See `mixedsparse.fit_many`.

        Returns
        -------
        ManyResults

        Examples
        --------
        >>> import mixedsparse as ms
        >>> model = ms.LinearMixedModel("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"))
        >>> draws = model.fit().simulate(5, seed=1)
        >>> model.fit_many(draws, L="Days").table["estimate"].round(1).tolist()
        [10.0, 10.4, 8.6, 10.2, 10.4]
        """
        from mixedsparse.api.many import fit_rows

        return fit_rows(self, Y, reml=reml, L=L, ddf=ddf, n_jobs=n_jobs, out=out, progress=progress)

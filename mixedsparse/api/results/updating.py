"""From one fit to the next: another formula, other data, the other criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.caller import CallerNames

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.ground.choices import Method
    from mixedsparse.ground.options import FitOptions
    from mixedsparse.ground.progress import ProgressOption

__all__ = ["UpdatingMixin"]


class UpdatingMixin(ResultsBase):
    """Further fits of `MixedResults`."""

    def update(
        self,
        formula: str | None = None,
        data: Any = None,
        *,
        reml: bool | None = None,
        weights: Any = None,
        offset: Any = None,
        contrasts: Mapping[str, Any] | None = None,
        residual: str | None = None,
        dispersion: str | None = None,
        relations: Mapping[str, Any] | None = None,
        start: Any = None,
        method: Method = "auto",
        options: FitOptions | None = None,
        progress: ProgressOption = None,
    ) -> Self:
        """Fit again with some of the call changed; everything else, contrasts and data too, is kept.

        Parameters
        ----------
        formula : str, optional
            Dots stand for what the formula of this fit has on that side: ``"~ . - x"``, ``". ~ . + z"``, ``"log(.) ~
            ."``, ``"~ . - (x | g) + (1 | g)"``.
        data : data frame or source, optional
            Other data. By default the rows of this fit, so that fits compare; where the formula needs a column that
            this one does not have, the data frame of the call, if it is still there.
        reml : bool, optional
            The other criterion.
        weights, offset, contrasts, residual, dispersion, relations
            As in `lmer`, in place of those of this fit; contrasts of columns that are no terms any more go.
        start, method, options, progress
            See `LinearMixedModel.fit`.

        Returns
        -------
        MixedResults

        Raises
        ------
        ColumnError
            A column of the formula is neither in this fit nor in data that are still there.
        FormulaError
            The formula cannot be read, or takes a random-effects term away that is not there.
        DataError
            The model was made from arrays.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.update("~ . - (Days | Subject) + (1 | Subject)", reml=False).formula
        'Reaction ~ Days + (1 | Subject)'
        """
        from mixedsparse.fitted.fit import fit_model
        from mixedsparse.inference.updates import updated_linear

        changes = {"weights": weights, "offset": offset, "contrasts": contrasts, "residual": residual}
        changes |= {"dispersion": dispersion, "relations": relations}
        model = updated_linear(self.model, formula, data, changes, CallerNames(2))
        reml = self._fitted.reml if reml is None else reml
        start = start._fitted if isinstance(start, ResultsBase) else start
        return self._of(fit_model(model, reml, start=start, method=method, options=options, progress=progress))

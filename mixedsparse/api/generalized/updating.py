"""From one generalized fit to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase, parameters_of
from mixedsparse.data.families import trials_and_weights
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel, fit_generalized_model
from mixedsparse.ground.caller import CallerNames

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.ground.choices import Method
    from mixedsparse.ground.options import FitOptions
    from mixedsparse.ground.progress import ProgressOption

__all__ = ["UpdatingMixin"]


class UpdatingMixin(ResultsBase):
    """Further fits of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]
    model: GeneralizedModel  # type: ignore[assignment]

    def update(
        self,
        formula: str | None = None,
        data: Any = None,
        *,
        nAGQ: int | None = None,
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
        contrasts: Mapping[str, Any] | None = None,
        start: Any = None,
        method: Method = "auto",
        options: FitOptions | None = None,
        progress: ProgressOption = None,
    ) -> Self:
        """Fit again with some of the call changed; family, link, contrasts, trials and rows are kept.

        Parameters
        ----------
        formula, data
            As of `MixedResults.update`: ``"~ . - x"``; the rows of this fit by default.
        nAGQ : int, optional
            Nodes of the quadrature, by default those of this fit.
        trials, weights, offset, contrasts
            As in `glmer`, in place of those of this fit.
        start, method, options, progress
            See `GeneralizedLinearMixedModel.fit`.

        Returns
        -------
        GeneralizedResults

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.update("~ . - period").params.round(2).to_dict()
        {'Intercept': -2.05}
        """
        from mixedsparse.inference.updates import updated_generalized

        changes = {"offset": offset, "contrasts": contrasts} | trials_and_weights(self.model.family, trials, weights)
        model = updated_generalized(self.model, formula, data, changes, CallerNames(2))
        nodes = self._fitted.fit.nodes if nAGQ is None else nAGQ
        how: dict[str, Any] = {"method": method, "options": options, "progress": progress}
        return self._of(fit_generalized_model(model, nodes, start=parameters_of(start), **how))

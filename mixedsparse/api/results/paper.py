"""What a fit shows when it is printed, and sentences for a paper."""

from __future__ import annotations

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Ddf

__all__ = ["PaperMixin"]


class PaperMixin(ResultsBase):
    """What linear and generalized fits say of themselves in a paper; see also `mixedsparse.apa` and `model_table`."""

    def __str__(self) -> str:
        """Short table of the estimates, without tests; `summary` has all."""
        from mixedsparse.report.short import short

        return short(self._fitted)

    def report(self, ddf: Ddf | None = None) -> str:
        """Write the paragraph for the methods section: model, criterion, tests, software, and whether it is singular.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
            Degrees of freedom that the tests of the paper have; Satterthwaite's by default, normal tests in generalized
            models.

        Returns
        -------
        str

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> print(fit.report())
        We fitted a linear mixed model by restricted maximum likelihood, to 180 observations from 18 levels of Subject:
        ...
        """
        from mixedsparse.inference.denominators import check_ddf
        from mixedsparse.report.methods import methods_text
        from mixedsparse.report.tested import ddf_of

        ddf = ddf_of(self._fitted, ddf)
        check_ddf(ddf)
        return methods_text(self._fitted, ddf)

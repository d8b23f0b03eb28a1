"""One door to the matrices of the model, by the names of its equations (lme4: ``getME``)."""

from __future__ import annotations

from typing import Any

from mixedsparse.api.results.base import ResultsBase

__all__ = ["InternalsMixin"]


class InternalsMixin(ResultsBase):
    """Matrices of y = X beta + Z b + e, b = Lam u."""

    def get(self, name: str) -> Any:
        """Return a quantity of the model by name.

        Parameters
        ----------
        name : {"y", "X", "Z", "Lam", "b", "beta", "sigma", "theta", "u"}
            ``X`` (n, p): columns that were kept. ``Z`` (n, q) and ``Lam`` (q, q): sparse. ``b``, ``u`` (q,): modes of
            the random effects and of the spherical ones. Random effects stand term by term in theta order,
            level by level within a term, as in lme4. Neither weights nor offset are multiplied or added in.

        Raises
        ------
        OptionError
            `name` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.get("Z").shape
        (180, 36)
        """
        from mixedsparse.inference.matrices import matrix

        return matrix(self._fitted, name)

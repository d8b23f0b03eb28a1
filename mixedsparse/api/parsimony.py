"""From a maximal random part to a parsimonious one, with every model on the way in a table.

Source: Bates, Kliegl, Vasishth & Baayen (2015), Parsimonious mixed models, arXiv:1506.04967; the level of the tests is
that of Matuschek, Kliegl, Vasishth, Baayen & Bates (2017), Journal of Memory and Language 94, 305-315.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mixedsparse.ground.foreign import explains_arguments

if TYPE_CHECKING:
    from mixedsparse.api.generalized import GeneralizedResults
    from mixedsparse.api.results import MixedResults
    from mixedsparse.inference.parsimony import Parsimony
    from mixedsparse.inference.random_search import Row

__all__ = ["parsimony"]


@explains_arguments
def parsimony(
    results: MixedResults | GeneralizedResults,
    *,
    alpha: float = 0.2,
    keep_intercepts: bool = True,
    progress: bool | Callable[[Row], None] | None = None,
) -> Parsimony:
    """Reduce the random part of a model by likelihood-ratio steps; the fixed part is never touched.

    Parameters
    ----------
    results : MixedResults or GeneralizedResults
        Fit of the maximal model, from a formula. All models are fitted to its rows by its criterion: REML, under which
        models with the same fixed part compare, or ML, of a generalized model by the same nAGQ.
    alpha : float
        Level of the tests. 0.2 balances Type I error and power (Matuschek et al. 2017); it also makes up for
        part of the conservatism of chi-square tests of variances, whose null hypothesis lies on the boundary.
    keep_intercepts : bool
        Whether random intercepts stay whatever their variance: they stand for the sampling of subjects and items.
    progress : bool or callable, optional
        True prints a line per model to stderr; a callable gets each row as a dict.

    Returns
    -------
    Parsimony

    Raises
    ------
    DataError
        The model was made from arrays.
    OptionError
        `alpha` does not lie between 0 and 1.

    Notes
    -----
    1. The maximal model; `rePCA` counts the dimensions that its data support.
    2. All correlations at zero (``||``). Without them the variance between levels is least where the variables are 0,
       so numeric ones are centred first, ``(1 + center(x) || g)``: the search does not depend on where x starts.
       Columns of a factor stand separately, so that this step depends on its coding. The search goes on from here
       whatever the test says, because variances are tested best without correlations.
    3. Variances, one effect of one grouping factor at a time, highest interactions first: each is left out in turn,
       and the one whose loss has the largest p-value above `alpha` goes, until there is none.
    4. Correlations again, one grouping factor at a time, where they improve the fit with p of at most `alpha` and the
       model is not singular with them; and every effect that went, with the correlations that it had, if p times the
       number of effects that are tried so is at most `alpha`.
    5. The model found is tested against the maximal one. While p is at most `alpha`, what improves the fit most comes
       back, singular or not: the search never ends at a model that `Parsimony.comparison` rejects.

    Fixed effects are for the user's theory to choose. Inference after a search is conditional on the model found.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> steps = parsimony(fit)
    >>> steps.table[["step", "npar", "deviance", "LRT", "chosen"]].round(3)
                    step  npar  deviance     LRT  chosen
    0            maximal     6  1743.628     NaN    True
    1  zero correlations     5  1753.549   9.921    True
    2      drop variance     4  1786.465  32.916   False
    3   add correlations     6  1743.628   9.921    True
    >>> steps.table["formula"][1], steps.final.formula
    ('Reaction ~ Days + (1 + center(Days) || Subject)', 'Reaction ~ Days + (Days | Subject)')
    """
    return results.parsimony(alpha=alpha, keep_intercepts=keep_intercepts, progress=progress)

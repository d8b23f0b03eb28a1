"""Principal components of the random effects: how many directions of variation the data support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["SUPPORTED", "GroupPCA", "RandomPCA", "random_pca"]

# Standard deviation, relative to the residual's, below which a component counts as zero (lme4's isSingular).
SUPPORTED = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class GroupPCA:
    """Principal components of the random effects of one grouping factor.

    Attributes
    ----------
    sdev : Series, length k
        Standard deviations of the components, relative to sigma, largest first.
    prop_var : Series, length k
        Share of the variance; NaN where all of it is zero.
    loadings : DataFrame (k, k)
        Effects in rows, components in columns, of unit length.
    """

    sdev: pd.Series
    prop_var: pd.Series
    loadings: pd.DataFrame

    @property
    def dimensions(self) -> int:
        """Number of components with a standard deviation above 1e-4 of sigma."""
        return int((self.sdev > SUPPORTED).sum())

    def __repr__(self) -> str:
        table = pd.DataFrame({"sdev": self.sdev, "prop_var": self.prop_var, "cumulative": self.prop_var.cumsum()})
        return table.T.to_string(float_format="{:.4f}".format)


@dataclass(frozen=True, eq=False, repr=False)
class RandomPCA(Mapping[str, GroupPCA]):
    """Principal components of the random effects, grouping factor -> `GroupPCA`.

    Attributes
    ----------
    groups : dict
    """

    groups: Mapping[str, GroupPCA]

    def __getitem__(self, group: str) -> GroupPCA:
        """Components of one grouping factor."""
        if group not in self.groups:
            present = ", ".join(map(repr, self.groups))
            raise OptionError(f"{group!r} is not a grouping factor of this model; it has {present}.")
        return self.groups[group]

    def __contains__(self, group: object) -> bool:
        """Whether `group` is a grouping factor of the model."""
        return group in self.groups

    def __iter__(self) -> Iterator[str]:
        """Iterate over the grouping factors, by decreasing number of levels."""
        return iter(self.groups)

    def __len__(self) -> int:
        """Count the grouping factors."""
        return len(self.groups)

    @property
    def table(self) -> pd.DataFrame:
        """One row per component: ``group``, ``component``, ``sdev``, ``prop_var``, ``cumulative``."""
        frames = [
            pd.DataFrame(
                {
                    "group": group,
                    "component": pca.sdev.index,
                    "sdev": pca.sdev.to_numpy(),
                    "prop_var": pca.prop_var.to_numpy(),
                    "cumulative": pca.prop_var.cumsum().to_numpy(),
                }
            )
            for group, pca in self.groups.items()
        ]
        return pd.concat(frames, ignore_index=True)

    @property
    def dimensions(self) -> dict[str, tuple[int, int]]:
        """Grouping factor -> components that are supported, and random effects in the model."""
        return {group: (pca.dimensions, len(pca.sdev)) for group, pca in self.groups.items()}

    def __repr__(self) -> str:
        return "\n\n".join(f"{group}\n{pca!r}" for group, pca in self.groups.items())


def random_pca(fitted: Fitted, corr: bool = False) -> RandomPCA:
    """Decompose Lambda of each grouping factor; see `MixedResults.rePCA`."""
    groups = {}
    for group, terms in fitted.terms_of.items():
        lam = block_diag(*[fitted.fit.templates[t] for t in terms])
        if corr:
            lengths = np.linalg.norm(lam, axis=1)
            lam = lam / np.where(lengths > 0, lengths, 1.0)[:, None]
        groups[group] = _components(lam, fitted.effects_of(group))
    return RandomPCA(groups)


def _components(lam: np.ndarray, effects: list[str]) -> GroupPCA:
    loadings, sdev, _ = np.linalg.svd(lam)
    # The sign of a component is free: its largest loading is positive.
    largest = np.abs(loadings).argmax(axis=0)
    loadings = loadings * np.sign(loadings[largest, np.arange(len(sdev))])
    names = pd.Index([f"PC{i + 1}" for i in range(len(sdev))])
    total = float(np.square(sdev).sum())
    share = np.square(sdev) / total if total > 0 else np.full(len(sdev), np.nan)
    return GroupPCA(
        pd.Series(sdev, index=names, name="sdev"),
        pd.Series(share, index=names, name="prop_var"),
        pd.DataFrame(loadings, index=effects, columns=names),
    )

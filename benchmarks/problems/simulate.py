"""Seeded data for the benchmark problems that no public data set of the right shape exists for.

Grouping columns are integer codes here; `Problem.load` turns them into categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["psych", "ratings", "star"]

PSYCH_BETA = np.array([600.0, 20.0, -15.0, 10.0])
PSYCH_SD = {"subj": np.array([80.0, 30.0, 25.0, 20.0]), "item": np.array([50.0, 20.0, 15.0, 12.0])}
PSYCH_CORRELATION = 0.3
PSYCH_SIGMA = 200.0

RATING_MEAN = 3.6
RATING_SD = {"user": 0.45, "item": 0.60}
RATING_SIGMA = 0.9
# Frequency is proportional to 1 / (rank + shift), shift = levels / this number. As in collections of film ratings, the
# busiest tenth of the levels then collects about four tenths of the ratings, and the busiest level is far from all.
LEVELS_PER_SHIFT = 40

# Sizes, moves and variances near those of the Tennessee data (11,600 pupils, 1,390 teachers, 80 schools).
STAR_ENTRY = (0.55, 0.2, 0.15, 0.1)  # share of the pupils by the grade in which they enter
STAR_LEAVING = 0.25
STAR_MOVING = 0.03
STAR_CLASSES = 4  # per school and grade
STAR_MEAN, STAR_SMALL = 485.0, 8.0
STAR_GAIN = np.array([0.0, 45.0, 95.0, 130.0])
STAR_SD = {"pupil": 31.0, "teacher": 17.0, "school": 10.0, "residual": 20.0}


def psych(seed: int, n_subj: int = 60, n_item: int = 60, replicates: int = 4) -> pd.DataFrame:
    """Simulate reaction times of a fully crossed subject by item experiment with a 2 x 2 design within both.

    Parameters
    ----------
    seed : int
        Seed of the generator.
    n_subj, n_item : int
        Numbers of subjects and items.
    replicates : int
        Trials per subject, item and cell of the design.

    Returns
    -------
    DataFrame
        ``subj``, ``item``, contrasts ``A`` and ``B`` (-0.5, 0.5), response ``y`` in milliseconds;
        ``n_subj * n_item * 4 * replicates`` rows. Both covariance matrices have full rank.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    shape = (n_subj, n_item, 2, 2, replicates)
    subj, item, a, b, _ = (index.ravel() for index in np.indices(shape))
    A, B = a - 0.5, b - 0.5
    z = np.column_stack([np.ones(A.size), A, B, A * B])
    y = z @ PSYCH_BETA + PSYCH_SIGMA * rng.standard_normal(A.size)
    for group, codes, n_levels in (("subj", subj, n_subj), ("item", item, n_item)):
        y += np.einsum("nk,nk->n", z, _effects(rng, PSYCH_SD[group], n_levels)[codes])
    return pd.DataFrame({"subj": subj, "item": item, "A": A, "B": B, "y": y})


def ratings(seed: int, n_ratings: int = 1_000_000, n_user: int = 6040, n_item: int = 3700) -> pd.DataFrame:
    """Simulate ratings of items by users, each pair at most once, with power-law activity and popularity.

    Parameters
    ----------
    seed : int
        Seed of the generator.
    n_ratings, n_user, n_item : int
        Numbers of ratings, users and items; every user and every item has at least one rating.

    Returns
    -------
    DataFrame
        ``user``, ``item`` and the rating ``y``, a whole number from 1 to 5, one row per rating.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    user, item = _distinct_pairs(rng, n_ratings, n_user, n_item)
    y = RATING_MEAN + RATING_SIGMA * rng.standard_normal(n_ratings)
    y += RATING_SD["user"] * rng.standard_normal(n_user)[user]
    y += RATING_SD["item"] * rng.standard_normal(n_item)[item]
    return pd.DataFrame({"user": user, "item": item, "y": np.clip(np.rint(y), 1.0, 5.0)})


def star(seed: int, n_school: int = 80, n_pupil: int = 11_000) -> pd.DataFrame:
    """Simulate four school years of pupils who get a new teacher every year, as in Tennessee's class-size experiment.

    Pupils stay for one to four years, a few change school between years; teachers belong to one school and one grade.

    Parameters
    ----------
    seed : int
        Seed of the generator.
    n_school, n_pupil : int
        Numbers of schools, and of pupils that ever attend.

    Returns
    -------
    DataFrame
        ``pupil``, ``teacher``, ``school``, ``grade`` (0 to 3), ``small`` (class of that size or not) and the score
        ``math``, one row per pupil and year.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    first = rng.choice(4, n_pupil, p=STAR_ENTRY)
    years = np.minimum(4 - first, rng.geometric(STAR_LEAVING, n_pupil))
    pupil = np.repeat(np.arange(n_pupil), years)
    grade = np.arange(pupil.size) - np.repeat(np.cumsum(years) - years, years) + first[pupil]
    school = rng.integers(n_school, size=n_pupil)[pupil]
    moved = np.flatnonzero(rng.random(pupil.size) < STAR_MOVING)
    school[moved] = rng.integers(n_school, size=moved.size)
    classes = (school * 4 + grade) * STAR_CLASSES + rng.integers(STAR_CLASSES, size=pupil.size)
    teacher = np.unique(classes, return_inverse=True)[1]
    small = (teacher % 3 == 0).astype(float)
    y = STAR_MEAN + STAR_GAIN[grade] + STAR_SMALL * small + STAR_SD["residual"] * rng.standard_normal(pupil.size)
    for name, codes in (("pupil", pupil), ("teacher", teacher), ("school", school)):
        y += STAR_SD[name] * rng.standard_normal(codes.max() + 1)[codes]
    columns = {"pupil": pupil, "teacher": teacher, "school": school, "grade": grade, "small": small}
    return pd.DataFrame({**columns, "math": np.rint(y)})


def _effects(rng: np.random.Generator, sd: np.ndarray, n_levels: int) -> np.ndarray:
    """Correlated effects of one grouping factor, shape (n_levels, k)."""
    correlation = np.full((sd.size, sd.size), PSYCH_CORRELATION)
    np.fill_diagonal(correlation, 1.0)
    factor = np.linalg.cholesky(correlation * np.outer(sd, sd))
    return rng.standard_normal((n_levels, sd.size)) @ factor.T


def _distinct_pairs(rng: np.random.Generator, size: int, n_user: int, n_item: int) -> tuple[np.ndarray, np.ndarray]:
    """User and item codes of `size` distinct pairs in random order, each level used."""
    ring = np.arange(max(n_user, n_item))  # one pair for every level, so that none is empty
    taken = np.unique((ring % n_user) * n_item + ring % n_item)
    while (missing := size - taken.size) > 0:
        drawn = np.unique(_power_law(rng, n_user, size) * n_item + _power_law(rng, n_item, size))
        new = np.setdiff1d(drawn, taken, assume_unique=True)
        taken = np.union1d(taken, rng.permutation(new)[:missing])
    pairs = rng.permutation(taken)
    return pairs // n_item, pairs % n_item


def _power_law(rng: np.random.Generator, n_levels: int, size: int) -> np.ndarray:
    """Draw `size` codes, the smallest most often."""
    cumulative = np.cumsum(1.0 / (np.arange(n_levels) + n_levels / LEVELS_PER_SHIFT))
    codes: np.ndarray = np.searchsorted(cumulative, cumulative[-1] * rng.random(size), side="right")
    return codes

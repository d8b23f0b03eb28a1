"""Synthetic ratings in the shape of MovieLens-32M, written to Parquet in batches.

Run as ``python -m benchmarks.ratings_parquet PATH [ROWS [USERS [ITEMS]]]``. Numbers of ratings per user are log-normal
and the popularity of items follows a power law, with the extremes that MovieLens has; nobody rates an item twice.
Ratings are half stars: 3.5 + user + item + noise, with standard deviations 0.45, 0.5 and 0.85.

From four times MovieLens on, who rates what is drawn once for a file of its size and repeated: every copy has users of
its own, each of whose items is one of as many copies of it, at random.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.parquet import write_batches

ROWS, USERS, ITEMS = 32_000_204, 200_948, 84_432
SDS = {"user": 0.45, "item": 0.5, "residual": 0.85}
# MovieLens keeps users with at least 20 ratings; half of them have fewer than 73.
FEWEST, SPREAD = 20, 1.25
# The share of the item of rank r falls as (r + 30)^-1.3: the first gets about 1 % of all ratings.
FLAT, FALL = 30.0, 1.3
BATCH_USERS = 2_000
# Users with numbers of ratings within this ratio share one table of the items' popularity.
BIN = 1.2
# Share of the pairs of users and items that are rated, at most: a third of the items is then enough for the busiest.
DENSEST = 1 / 8
# Multiple of MovieLens from which on who rates what is drawn once and repeated.
REPEATED = 4


def ratings(rows: int, users: int, items: int, seed: int = 1) -> Iterator[dict[str, np.ndarray]]:
    """Batches of columns ``userId, movieId, rating, timestamp``, users in order.

    About `rows` ratings, and one more for each item that nobody would have rated; so many users and items at most.
    """
    rng = np.random.default_rng(seed)
    copies = round(rows / ROWS) if rows >= REPEATED * ROWS else 1
    own_users, own_items = users // copies, items // copies
    users, items = copies * own_users, copies * own_items
    counts = _counts(rng, rows // copies, own_users, own_items)
    share = (np.arange(own_items) + FLAT) ** -FALL
    share /= share.sum()
    labels = rng.permutation(items) + 1
    user_effect = rng.normal(0.0, SDS["user"], users)
    item_effect = rng.normal(0.0, SDS["item"], items)
    seen = np.zeros(items, dtype=bool)

    def columns(user: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        seen[item] = True
        noise = rng.normal(0.0, SDS["residual"], len(user))
        stars = np.clip(np.round(2.0 * (3.5 + user_effect[user] + item_effect[item] + noise)) / 2.0, 0.5, 5.0)
        return {
            "userId": (user + 1).astype(np.int32),
            "movieId": labels[item].astype(np.int32),
            "rating": stars.astype(np.float32),
            "timestamp": rng.integers(789_652_009, 1_697_164_147, len(user)).astype(np.int32),
        }

    for start in range(0, own_users, BATCH_USERS):
        user, item = _distinct(rng, np.arange(start, min(start + BATCH_USERS, own_users)), counts, share)
        for copy in range(copies):
            place = own_items * rng.integers(0, copies, len(item)) if copies > 1 else 0
            yield columns(user + copy * own_users, item + place)
    unseen = np.flatnonzero(~seen)
    yield columns(rng.integers(0, users, len(unseen)), unseen)


def write(path: str | Path, rows: int = ROWS, users: int = USERS, items: int = ITEMS, seed: int = 1) -> int:
    """Write the file; return the number of ratings."""
    return write_batches(path, ratings(rows, users, items, seed))


def levels(rows: int) -> tuple[int, int]:
    """Numbers of users and items of `rows` ratings: in proportion to the rows, but dense at most as `DENSEST` says.

    At a million rows that is nearly MovieLens-1M, which has 6,040 users and 3,706 films.
    """
    share = max(rows / ROWS, math.sqrt(rows / (DENSEST * USERS * ITEMS)))
    return round(share * USERS), round(share * ITEMS)


def _counts(rng: np.random.Generator, rows: int, users: int, items: int) -> np.ndarray:
    """Numbers of ratings (users,), `rows` in all, none more than a third of the items."""
    raw = rng.lognormal(0.0, SPREAD, users)
    fewest, most = min(FEWEST, rows // users), items // 3
    low, high = 0.0, float(rows)
    for _ in range(100):  # the scale at which the clipped numbers add up to `rows`
        scale = 0.5 * (low + high)
        total = np.clip(scale * raw, fewest, most).sum()
        low, high = (scale, high) if total < rows else (low, scale)
    counts = np.clip(high * raw, fewest, most).astype(np.int64)
    counts[rng.choice(users, rows - counts.sum(), replace=False)] += 1
    return counts


def _distinct(
    rng: np.random.Generator, block: np.ndarray, counts: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of the ratings of a block of users, no pair twice.

    Systematic sampling: a user with k ratings takes the items at k equidistant points of the cumulated popularity, from
    a random start and items in random order. No item is wider than the distance, so none is met twice.
    """
    order = rng.permutation(len(share))
    bins = np.ceil(np.log(counts[block]) / np.log(BIN)).astype(int)
    users, taken = [], []
    for b in np.unique(bins):
        mine = block[bins == b]
        k = counts[mine]
        cumulated = np.cumsum(_capped(share, 1.0 / k.max())[order])
        user = np.repeat(mine, k)
        step = np.arange(len(user)) - np.repeat(np.cumsum(k) - k, k)
        at = (step + np.repeat(rng.random(len(mine)), k)) / np.repeat(k, k)
        users.append(user)
        taken.append(order[np.searchsorted(cumulated, at * cumulated[-1], side="right")])
    user, item = np.concatenate(users), np.concatenate(taken)
    sort = np.lexsort((item, user))
    return user[sort], item[sort]


def _capped(share: np.ndarray, most: float) -> np.ndarray:
    """Popularity with no item above `most`, the rest raised in proportion."""
    out = share
    while out.max() > most * (1.0 + 1e-12):
        top = out >= most
        rest = out[~top].sum()
        out = np.where(top, most, out * ((1.0 - most * top.sum()) / rest))
    return out * (1.0 - 1e-9)  # strictly below the distance, whatever is rounded


if __name__ == "__main__":
    path, *sizes = sys.argv[1:]
    print(f"{write(path, *map(int, sizes)):,} ratings")

"""Sums over the rows of a level or of a pair of levels, and what levels give their rows, compiled.

`slots` (n,) says to which of the `out` a row belongs; z (n, K), or nothing (0, 1) for a column of ones.
"""

from __future__ import annotations

from mixedsparse.core.compiled.elimination import compiled

__all__ = ["add_columns", "add_forms", "add_grams", "add_products", "add_spread"]


@compiled
def add_spread(slots, z, b, out):  # type: ignore[no-untyped-def]
    """Add z'b of the level of each row, b (levels, K), to `out` (n,)."""
    if len(z) == 0:
        for i in range(len(slots)):
            out[i] += b[slots[i], 0]
    else:
        for i in range(len(slots)):
            total, own = 0.0, b[slots[i]]
            for a in range(z.shape[1]):
                total += z[i, a] * own[a]
            out[i] += total


@compiled
def add_columns(slots, z, columns, out):  # type: ignore[no-untyped-def]
    """Add z c' of each row, columns c (n, r), to `out` (levels, K, r)."""
    k, r = out.shape[1], out.shape[2]
    if r == 1 and len(z) == 0:
        for i in range(len(slots)):
            out[slots[i], 0, 0] += columns[i, 0]
    elif r == 1:
        for i in range(len(slots)):
            for a in range(k):
                out[slots[i], a, 0] += z[i, a] * columns[i, 0]
    else:
        for i in range(len(slots)):
            for a in range(k):
                left = z[i, a] if len(z) else 1.0
                for c in range(r):
                    out[slots[i], a, c] += left * columns[i, c]


@compiled
def add_grams(slots, z, weights, out):  # type: ignore[no-untyped-def]
    """Add w z z' of each row to `out` (levels, K, K), symmetric."""
    if len(z) == 0:
        for i in range(len(slots)):
            out[slots[i], 0, 0] += weights[i]
        return
    for i in range(len(slots)):
        own = out[slots[i]]
        for a in range(z.shape[1]):
            left = weights[i] * z[i, a]
            for b in range(a + 1):
                own[a, b] += left * z[i, b]
    for level in range(len(out)):
        for a in range(z.shape[1]):
            for b in range(a):
                out[level, b, a] = out[level, a, b]


@compiled
def add_products(slots, z, other, weights, out):  # type: ignore[no-untyped-def]
    """Add w z_s z_t' of each row to `out` (slots, K_s, K_t)."""
    for i in range(len(slots)):
        own = out[slots[i]]
        for a in range(own.shape[0]):
            left = weights[i] * z[i, a] if len(z) else weights[i]
            for b in range(own.shape[1]):
                own[a, b] += left * other[i, b] if len(other) else left


@compiled
def add_forms(slots, z, other, blocks, times, out):  # type: ignore[no-untyped-def]
    """Add `times` z_s'C z_t of each row, for the blocks C (slots, K_s, K_t), to `out` (n,)."""
    if len(z) and len(other):
        for i in range(len(slots)):
            total = 0.0
            for a in range(z.shape[1]):
                inner = 0.0
                for b in range(other.shape[1]):
                    inner += blocks[slots[i], a, b] * other[i, b]
                total += inner * z[i, a]
            out[i] += times * total
    else:
        for i in range(len(slots)):
            total = 0.0
            for a in range(blocks.shape[1]):
                for b in range(blocks.shape[2]):
                    product = z[i, a] if len(z) else 1.0
                    product *= other[i, b] if len(other) else 1.0
                    total += product * blocks[slots[i], a, b]
            out[i] += times * total

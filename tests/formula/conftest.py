from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def frame() -> pd.DataFrame:
    """Sixty rows with columns of every kind, some under awkward names."""
    rng = np.random.default_rng(1)
    n = 60
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "w": rng.uniform(1, 2, n),
            "z": rng.integers(0, 5, n),
            "a": list("uvw") * 20,
            "b": list("pq") * 30,
            "g": np.repeat(list("ABCDEF"), 10),
            "h": np.tile(np.arange(10), 6),
            "row": np.arange(n),
            "flag": np.arange(n) % 2 == 0,
        }
    )
    data["f"] = pd.Categorical(data["a"], categories=["w", "v", "u", "unused"])
    return data

"""Labelled things given beside the data: they go where their labels say, or are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

MACHINES = ms.datasets.load("Machines")
FORMULA = "score ~ Machine + (1 | Worker)"
# Differences between neighbours, rows in an order that is not that of the levels.
NEIGHBOURS = pd.DataFrame({"B-A": [1 / 3, -2 / 3, 1 / 3], "C-B": [-1 / 3, -1 / 3, 2 / 3]}, index=["B", "A", "C"])


def test_a_table_of_contrasts_gives_the_differences_its_columns_are_named_for(tmp_path):
    means = MACHINES.groupby("Machine", observed=True)["score"].mean()  # balanced: differences of plain means
    fit = ms.lmer(FORMULA, MACHINES, contrasts={"Machine": NEIGHBOURS})
    wanted = {"Machine[B-A]": means["B"] - means["A"], "Machine[C-B]": means["C"] - means["B"]}
    assert fit.params.drop("Intercept").to_dict() == pytest.approx(wanted)
    MACHINES.to_parquet(tmp_path / "machines.parquet")
    stored = ms.lmer(FORMULA, str(tmp_path / "machines.parquet"), contrasts={"Machine": NEIGHBOURS})
    pd.testing.assert_series_equal(stored.params, fit.params)
    plain = ms.lmer(FORMULA, MACHINES)
    pd.testing.assert_frame_equal(fit.emmeans("Machine").table, plain.emmeans("Machine").table)
    new = MACHINES.iloc[[50, 3, 20]]
    np.testing.assert_allclose(fit.predict(new), plain.predict(new))


def test_contrasts_inside_c_are_those_of_the_bare_column_from_files_too(tmp_path):
    MACHINES.to_parquet(tmp_path / "machines.parquet")
    called = "score ~ factor(Machine) + (C(Machine) | Worker)"
    bare = ms.lmer("score ~ Machine + (Machine | Worker)", MACHINES, contrasts={"Machine": "sum"})
    for data in (MACHINES, str(tmp_path / "machines.parquet")):
        fit = ms.lmer(called, data, contrasts={"Machine": "sum"})
        assert list(fit.params.index) == ["Intercept", "C(Machine)[S.A]", "C(Machine)[S.B]"]
        np.testing.assert_allclose(fit.params, bare.params, rtol=1e-6)
        np.testing.assert_allclose(fit.theta, bare.theta, atol=1e-5)
        with pytest.raises(ms.OptionError, match="would change nothing"):
            ms.lmer("score ~ 1 + (1 | Worker)", data, contrasts={"Machine": "sum"})

"""Predictions and residuals written batch by batch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from tests.limits import relimited

FORMULA = "log(y) ~ x * f + offset(o) + (1 + x | g) + (1 | h)"


@pytest.fixture(scope="module")
def fits(path, frame, quiet_lmer):
    return quiet_lmer(FORMULA, path, offset="w"), quiet_lmer(FORMULA, frame, offset="w")


def test_rows_of_the_fit(fits, frame, tmp_path):
    done = []
    target = tmp_path / "out.parquet"
    fit = relimited(fits[0], streamed=100)
    count = fit.stream_predictions(target, progress=lambda *args: done.append(args))
    out = pd.read_parquet(target)
    assert count == len(out) == len(frame)
    assert len(done) > 5
    assert done[-1] == (len(frame), len(frame))
    complete = out["resid"].dropna()
    np.testing.assert_allclose(complete, fits[1].resid, atol=1e-8)
    np.testing.assert_allclose(out["predicted"].dropna()[complete.index], fits[1].fittedvalues, atol=1e-8)
    assert complete.index.equals(fits[1].resid.index)
    assert list(out.columns) == ["y", "x", "f", "g", "h", "o", "predicted", "resid"]
    pd.testing.assert_series_equal(out["x"], frame["x"])
    assert list(tmp_path.iterdir()) == [target]


def test_another_source(fits, frame, tmp_path):
    new = frame.drop(columns="y").dropna().assign(key=lambda rows: np.arange(len(rows)))
    new.to_parquet(tmp_path / "new.parquet")
    fits[1].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet", columns=["key"], random="population")
    out = pd.read_parquet(tmp_path / "out.parquet")
    assert list(out.columns) == ["key", "predicted"]
    np.testing.assert_allclose(out["predicted"], fits[1].predict(new, random="population"), rtol=1e-12)


def test_offset_of_another_source(fits, frame, tmp_path):
    complete = frame.dropna()
    complete.to_parquet(tmp_path / "new.parquet")
    fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet", offset="w")
    found = pd.read_parquet(tmp_path / "out.parquet")["predicted"]
    np.testing.assert_allclose(found, fits[0].predict(complete, offset="w"), rtol=1e-12)


def test_grouping_factors_that_are_left_out_need_not_be_there(fits, frame, tmp_path):
    frame.drop(columns="h").dropna().to_parquet(tmp_path / "new.parquet")
    assert fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet", random=["g"])


def test_unknown_levels(fits, frame, tmp_path):
    new = pd.concat([frame.dropna(), frame.dropna().tail(1).assign(g=999)])
    new.to_parquet(tmp_path / "new.parquet")
    with pytest.raises(ms.DataError, match="levels that the fit has not seen: '999'"):
        fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet")
    assert not (tmp_path / "out.parquet").exists()
    assert fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet", new_levels="zero") == len(new)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_stream_leaves_what_was_there(fits, tmp_path, error):
    fit = relimited(fits[0], streamed=100)
    target = tmp_path / "out.parquet"
    target.write_bytes(b"earlier")

    def interrupt(done, total):
        if done > 300:
            raise error

    with pytest.raises(error):
        fit.stream_predictions(target, progress=interrupt)
    assert target.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [target]
    assert fits[0].stream_predictions(target) == len(pd.read_parquet(target))


def test_a_damaged_source_leaves_nothing_behind(fits, path, tmp_path):
    data = bytearray(path.read_bytes())
    data[1000 : len(data) // 2] = bytes(len(data) // 2 - 1000)
    (tmp_path / "bad.parquet").write_bytes(data)
    with pytest.raises(ms.DataError, match=r"bad.parquet' could not be read"):
        fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "bad.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.parquet"]


def test_targets_that_cannot_be_written(fits, path, tmp_path, quiet_lmer, frame):
    with pytest.raises(ms.OptionError, match="There is no directory"):
        fits[0].stream_predictions(tmp_path / "nowhere" / "out.parquet")
    with pytest.raises(ms.OptionError, match="is a file of the source itself"):
        fits[0].stream_predictions(path)
    with pytest.raises(ms.OptionError, match="is a directory"):
        fits[0].stream_predictions(tmp_path)
    with pytest.raises(ms.OptionError, match="does not know a path to read its rows from: give source="):
        fits[1].stream_predictions(tmp_path / "out.parquet")
    with pytest.raises(ms.ColumnError, match="no column 'nothing', used in columns="):
        fits[0].stream_predictions(tmp_path / "out.parquet", columns=["nothing"])


def test_a_source_without_rows_is_an_error(fits, frame, tmp_path):
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    with pytest.raises(ms.DataError, match=r"none.parquet' has no rows: there is nothing to predict"):
        fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "none.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_a_column_called_like_one_that_is_written_is_refused(fits, frame, tmp_path):
    frame.dropna().assign(resid=1.0).to_parquet(tmp_path / "new.parquet")
    with pytest.raises(ms.OptionError, match="The column 'resid' would stand beside the one of that name"):
        fits[0].stream_predictions(tmp_path / "out.parquet", tmp_path / "new.parquet", columns=["y", "resid"])


def test_rows_of_the_fit_are_found_from_another_directory(frame, tmp_path, monkeypatch, quiet_lmer):
    frame.to_parquet(tmp_path / "data.parquet")
    monkeypatch.chdir(tmp_path)
    fit = quiet_lmer("y ~ x + (1 | g)", "data.parquet")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert fit.stream_predictions("out.parquet") == len(frame)


def test_files_of_the_fit_that_were_replaced_are_refused(frame, tmp_path, quiet_lmer):
    frame.to_parquet(tmp_path / "data.parquet")
    fit = quiet_lmer("y ~ x + (1 | g)", tmp_path / "data.parquet")
    frame.iloc[:-1].to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ms.DataError, match=r"had 1,200 rows when it was fitted and has 1,199 now: give the path"):
        fit.stream_predictions(tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    assert fit.stream_predictions(tmp_path / "out.parquet", tmp_path / "data.parquet", new_levels="zero") == 1199


@pytest.mark.parametrize("pattern", ["", "*.parquet"])
def test_a_target_that_would_join_the_source_is_refused(pattern, frame, tmp_path, quiet_lmer):
    (tmp_path / "parts").mkdir()
    frame.to_parquet(tmp_path / "parts" / "data.parquet")
    fit = quiet_lmer("y ~ x + (1 | g)", str(tmp_path / "parts" / pattern))
    with pytest.raises(ms.OptionError, match=r"would be read as a part of the source .* next time: write to another"):
        fit.stream_predictions(tmp_path / "parts" / "out.parquet")
    assert fit.stream_predictions(tmp_path / "out.parquet") == len(frame)

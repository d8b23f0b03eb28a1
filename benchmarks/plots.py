"""Draw time against size and against the number of theta: ``python -m benchmarks.plots``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contest.rows import LATEST, Row
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.shared.records import RESULTS, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FIGURES", "STYLES", "draw", "main", "series", "slope"]

Point = tuple[float, float, bool]

# One style per engine whatever the subset drawn: colours of Okabe & Ito (2008), which every kind of eye tells apart.
STYLES = {
    "mixedsparse": ("#000000", "o"),
    "lme4": ("#0072B2", "s"),
    "glmm": ("#882255", "<"),
    "mixedlm": ("#D55E00", "^"),
    "lme-python": ("#009E73", "v"),
    "interlace": ("#CC79A7", "D"),
    "gpboost": ("#E69F00", "P"),
    "gpboost-iterative": ("#56B4E9", "X"),
    "statsmodels": ("#7F7F7F", "*"),
}
# Family of problems -> file, label of its sizes, title.
FIGURES = {
    "ratings": ("size.svg", "rows", "Ratings of items by users, crossed random intercepts"),
    "theta": ("theta.svg", "covariance parameters θ", "60 subjects × 60 items, 57,600 rows, growing random part"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figures of a results file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--csv", type=Path, default=LATEST, help="results of benchmarks.run")
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory of the figures")
    options = parser.parse_args(arguments)
    for path in draw(read_rows(options.csv, Row), options.out):
        print(path)
    return 0


def draw(rows: Sequence[Row], directory: Path, problems: Sequence[Problem] = PROBLEMS) -> list[Path]:
    """Draw one figure per family of problems that has results.

    Parameters
    ----------
    rows : sequence of Row
        Results, judged.
    directory : Path
        Where the figures go, as SVG without a date, so that equal results give equal files.
    problems : sequence of Problem
        The families.

    Returns
    -------
    list of Path
        The files written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    written = []
    for family, (name, label, title) in FIGURES.items():
        members = [problem for problem in problems if problem.family == family]
        size = _n_theta if family == "theta" else _n
        lines = series(rows, members, size)
        if not lines:
            continue
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9}):
            figure = Figure(figsize=(7.2, 4.0), layout="constrained")
            axes = figure.add_subplot()
            axes.set(xscale="log", yscale="log", xlabel=label, ylabel="seconds of a whole call", title=title)
            _plot(axes, lines)
            # The sizes themselves on the axis instead of decades: there are few.
            ticks = {size(problem): f"{size(problem):,}\nq = {problem.q:,}" for problem in members}
            axes.set_xticks(list(ticks), list(ticks.values()))
            axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
            directory.mkdir(parents=True, exist_ok=True)
            figure.savefig(directory / name, metadata={"Date": None})
        written.append(directory / name)
    return written


def series(rows: Sequence[Row], members: Sequence[Problem], size: Callable[[Problem], float]) -> dict[str, list[Point]]:
    """Return (size, seconds, stops above the optimum) by engine, by increasing size.

    Parameters
    ----------
    rows : sequence of Row
        Results; those without a time are left out.
    members : sequence of Problem
        A family.
    size : callable
        Size of a problem.
    """
    sizes = {problem.name: size(problem) for problem in members}
    found: dict[str, list[Point]] = {}
    for row in rows:
        if row.problem in sizes and row.seconds is not None:
            found.setdefault(row.engine, []).append((sizes[row.problem], row.seconds, row.stops_above))
    return {engine: sorted(points) for engine, points in found.items()}


def slope(points: Sequence[Point]) -> float | None:
    """Least-squares slope of log seconds on log size over the solutions at the optimum; None below two sizes."""
    solved = np.array([(x, seconds) for x, seconds, above in points if not above])
    if len(solved) < 2 or np.ptp(solved[:, 0]) == 0:
        return None
    return float(np.polyfit(*np.log(solved).T, 1)[0])


def _plot(axes: Axes, lines: dict[str, list[Point]]) -> None:
    for engine, (colour, marker) in STYLES.items():
        points = lines.get(engine)
        if not points:
            continue
        fitted = slope(points)
        label = engine if fitted is None else f"{engine}: slope {fitted:.2f}"
        width = 2.2 if engine == "mixedsparse" else 1.2
        x, seconds, _ = zip(*points, strict=True)
        axes.plot(x, seconds, color=colour, marker=marker, markersize=5, linewidth=width, label=label)
        stopped = [(x, seconds) for x, seconds, above in points if above]
        if stopped:
            axes.plot(*zip(*stopped, strict=True), marker, color="white", markeredgecolor=colour, markersize=5)
    if any(above for points in lines.values() for *_, above in points):
        axes.plot([], [], "o", color="white", markeredgecolor="black", markersize=5, label="stops above the optimum")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)


def _n(problem: Problem) -> int:
    return problem.n


def _n_theta(problem: Problem) -> int:
    return problem.n_theta


if __name__ == "__main__":
    sys.exit(main())

"""A stand-in for arrays with one entry per observation, where the observations stay in a database.

A model that was aggregated from a source has every cross-product, but no rows. What needs rows meets this object in
their place, and whatever it does with it raises one error that says what to do instead.
"""

from __future__ import annotations

from typing import Any, NoReturn

from mixedsparse.ground.errors import RowsElsewhereError

__all__ = ["ELSEWHERE", "absent_rows", "are_here"]


class _Elsewhere:
    """Refuses everything that an array can do."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise absent_rows("this")

    # With these two NumPy leaves `array * stand-in` to the stand-in, instead of making an object array of it.
    __array_ufunc__ = __array_function__ = _refuse
    __array__ = __len__ = __iter__ = __getitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = __pow__ = __neg__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols that are probed for, such as copying and pickling
            raise AttributeError(name)
        self._refuse()

    def __reduce__(self) -> str:
        return "ELSEWHERE"

    def __repr__(self) -> str:
        return "<rows elsewhere>"


ELSEWHERE: Any = _Elsewhere()


def absent_rows(what: str) -> RowsElsewhereError:
    """Build the error for `what` needs rows that are not in memory."""
    return RowsElsewhereError(
        "The rows of this model stay where its source is, or were left out of the file that it was saved in, and "
        f"{what} needs them one by one: only sums over levels are here. Write fitted values and residuals to Parquet "
        "with fit.stream_predictions(path), predict some rows with fit.predict(newdata), or fit a sample of the rows "
        "as a data frame."
    )


def are_here(rows: Any) -> bool:
    """Whether `rows` are an array in memory."""
    return rows is not ELSEWHERE

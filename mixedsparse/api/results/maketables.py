"""The plug-in protocol of the package maketables, as results speak it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase

if TYPE_CHECKING:
    from mixedsparse.report.maketables import MaketablesAnswers

__all__ = ["MaketablesMixin"]


class MaketablesMixin(ResultsBase):
    """Every question of the protocol, answered by `_for_maketables`."""

    def _for_maketables(self) -> MaketablesAnswers:
        from mixedsparse.report.maketables import MaketablesAnswers

        return MaketablesAnswers(self._fitted)

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return self._for_maketables().__maketables_coef_table__

    def __maketables_stat__(self, key: str) -> Any:
        return self._for_maketables().__maketables_stat__(key)

    @property
    def __maketables_depvar__(self) -> str:
        return self._for_maketables().__maketables_depvar__

    @property
    def __maketables_fixef_string__(self) -> None:
        return self._for_maketables().__maketables_fixef_string__

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return self._for_maketables().__maketables_vcov_info__

    @property
    def __maketables_var_labels__(self) -> None:
        return self._for_maketables().__maketables_var_labels__

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return self._for_maketables().__maketables_stat_labels__

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return self._for_maketables().__maketables_default_stat_keys__

"""What files hold of generalized fits: families, the fit, and the end of its search without what it can make again.

The rows of the data stand in the design once: response, prior weights and offset of `Data` are taken from there, and
the engine, the factor and the derivatives of the rows are made again. Rows that the search has joined are stored as it
joined them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mixedsparse.api.storage.record import Fields, Record, record
from mixedsparse.core.fitting.laplace.result import GeneralizedFit, Pieces
from mixedsparse.core.fitting.laplace.verdict import GeneralizedCertificate
from mixedsparse.core.likelihood.family import FAMILIES, Family
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.laplace.criterion import Parameters, Point
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.blocks import Block
from mixedsparse.fitted.generalized import GeneralizedModel

__all__ = ["RECORDS", "completed"]


def _family_record(cls: type[Family]) -> Record:
    return Record(
        cls,
        (),
        more=lambda family: {"link": family.link.name, "dispersion": family.dispersion},
        build=lambda fields: cls(fields["link"], dispersion=fields.get("dispersion")),
        rebuilt=(),
    )


def _data_facts(data: Data) -> Fields:
    joined = {} if data.kept is None else {"y": data.y, "m": data.m, "offset": data.offset}
    return {"engine": data.engine.name, **joined}


def _data(fields: Fields) -> Data:
    """Leave the rows to `completed`."""
    rows = {name: fields.pop(name, ELSEWHERE) for name in ("y", "m", "offset")}
    return Data(problem=None, **rows, **fields)  # type: ignore[arg-type]


def _mode(fields: Fields) -> Mode:
    return Mode(data=ELSEWHERE, lams=(), terms=ELSEWHERE, **fields)


def _fit(fields: Fields) -> GeneralizedFit:
    return GeneralizedFit(**fields | {"pieces": Pieces(*fields["pieces"])})


RECORDS: Mapping[str, Record] = {
    **{f"{name} family": _family_record(cls) for name, cls in FAMILIES.items()},
    "generalized certificate": record(
        GeneralizedCertificate,
        "verdict message scaled_gradient smallest_eigenvalue boundary columns rows groups hints limit",
    ),
    "block": record(Block, "codes z n_levels unit"),
    "generalized data": record(
        Data, "family kept constant", more=_data_facts, build=_data, rebuilt=("problem", "engine", "y", "m", "offset")
    ),
    "mode": record(
        Mode,
        "zeta b eta h penalty decrement factorisations sums motion",
        build=_mode,
        rebuilt=("data", "lams", "terms", "made", "known_logdet", "visited"),
    ),
    "parameters": record(Parameters, "theta gamma psi"),
    "point": record(Point, "vector parameters lams mode criterion"),
    "generalized fit": record(
        GeneralizedFit,
        "family nodes theta templates beta psi modes eta covariance conditional criterion saturated pieces certificate "
        "evaluations factorisations seconds path data point monte_carlo",
        build=_fit,
    ),
}


def completed(model: GeneralizedModel, fit: GeneralizedFit, engine: Engine) -> GeneralizedFit:
    """Return `fit` of a file with the rows of `model`, and an engine."""
    data = replace(fit.data, problem=model.problem, engine=engine)
    if model.problem.has_rows and data.kept is None:
        n, prior, offset = model.problem.n, model.prior, model.design.offset
        data = replace(
            data,
            y=model.response,
            m=np.ones(n) if prior is None else prior,
            offset=np.zeros(n) if offset is None else offset,
        )
    if fit.point is None:
        return replace(fit, data=data)
    mode = replace(fit.point.mode, data=data, lams=fit.point.lams)
    if model.problem.has_rows:
        with np.errstate(all="ignore"):
            mode = replace(mode, terms=data.rows(mode.eta, fit.point.parameters.psi))
    return replace(fit, data=data, point=replace(fit.point, mode=mode))

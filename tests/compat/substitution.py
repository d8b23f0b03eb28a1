"""Plugin of pytest that puts this package's names in the place of statsmodels', as a script that changes its import."""

from __future__ import annotations

import statsmodels.formula.api
import statsmodels.regression.mixed_linear_model as theirs

from mixedsparse import compat

theirs.MixedLM = compat.MixedLM
theirs.MixedLMParams = compat.MixedLMParams
statsmodels.formula.api.mixedlm = compat.mixedlm

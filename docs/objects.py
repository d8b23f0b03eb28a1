"""Objects that methods of `mixedsparse.MixedResults` and functions of the package return.

Nobody makes them by hand, so they are not in the top-level namespace. Here are their attributes and methods.
"""

from mixedsparse.api.generalized.plots import GeneralizedPlots
from mixedsparse.api.results import OptimResult
from mixedsparse.api.results.plots import MixedPlots
from mixedsparse.core.fitting.certificate import Certificate
from mixedsparse.core.fitting.estimates import MonteCarlo
from mixedsparse.datasets import Description
from mixedsparse.diagnostics.influence import Influence
from mixedsparse.diagnostics.scaled import ScaledResiduals
from mixedsparse.inference.bootstrap import Bootstrap
from mixedsparse.inference.contrasts import Contrasts, SimpleContrasts
from mixedsparse.inference.means import MarginalMeans
from mixedsparse.inference.parsimony import Parsimony
from mixedsparse.inference.pca import GroupPCA, RandomPCA
from mixedsparse.inference.profile import Profile
from mixedsparse.planning.truth import Truth
from mixedsparse.plotting import Plots
from mixedsparse.report import Summary
from mixedsparse.report.cost import CostReport
from mixedsparse.report.journal import Journal
from mixedsparse.report.model_table import ModelTable

__all__ = [
    "Bootstrap",
    "Certificate",
    "Contrasts",
    "CostReport",
    "Description",
    "GeneralizedPlots",
    "GroupPCA",
    "Influence",
    "Journal",
    "MarginalMeans",
    "MixedPlots",
    "ModelTable",
    "MonteCarlo",
    "OptimResult",
    "Parsimony",
    "Plots",
    "Profile",
    "RandomPCA",
    "ScaledResiduals",
    "SimpleContrasts",
    "Summary",
    "Truth",
]

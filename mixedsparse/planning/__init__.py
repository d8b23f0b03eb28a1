"""Planned experiments: designs, hypothesised effects, power by simulation.

==============  =================================================================
``design``      rows of a crossed experiment
``sizes``       the same design with more or fewer levels of a factor
``plan``        a design with the parameters of a model; ``truth``: these under the names of results
``generalized``   the same for generalized models
``components``  covariances of random effects from what a user hypothesises
``power``       power of tests
``replicates``  tests of simulated responses
``westfall``    power of two conditions with participants and stimuli, by formula
==============  =================================================================
"""

from mixedsparse.planning.design import design
from mixedsparse.planning.plan import Plan, plan
from mixedsparse.planning.power import Power, power
from mixedsparse.planning.westfall import CrossedPower, crossed_power

__all__ = ["CrossedPower", "Plan", "Power", "crossed_power", "design", "plan", "power"]

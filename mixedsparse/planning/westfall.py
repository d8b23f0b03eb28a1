"""Power of the comparison of two conditions with participants and stimuli as random factors, by formula.

Source: Westfall, Kenny & Judd (2014), Journal of Experimental Psychology: General 143, 2020-2045. Condition is coded -1
and 1, variance components are shares of their sum, and d is the difference of the condition means over its root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from scipy.special import nctdtr, stdtrit

from mixedsparse.ground.checks import check_level, is_number, one_of
from mixedsparse.ground.choices import CrossedDesign
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.foreign import Answers, explains_arguments

__all__ = ["CrossedPower", "crossed_power"]

# Which factors vary between the conditions: their main effects do not cancel, and two of their levels tell the means.
_BETWEEN = {
    "crossed": (False, False),
    "counterbalanced": (False, False),
    "stimuli within": (False, True),
    "participants within": (True, False),
    "both within": (True, True),
}


@dataclass(frozen=True, slots=True)
class CrossedPower(Answers):
    """Power of a planned experiment.

    Attributes
    ----------
    power : float
        Of the two-sided t test.
    ncp : float
        Noncentrality: the difference over its standard error.
    df : float
        Satterthwaite's degrees of freedom.
    se : float
        Standard error of the difference of the condition means, in units of d.
    """

    power: float
    ncp: float
    df: float
    se: float


@explains_arguments
def crossed_power(
    d: float,
    participants: int,
    stimuli: int,
    *,
    design: CrossedDesign = "crossed",
    residual: float = 0.3,
    participant: float = 0.2,
    stimulus: float = 0.2,
    participant_condition: float = 0.1,
    stimulus_condition: float = 0.1,
    participant_stimulus: float = 0.1,
    alpha: float = 0.05,
) -> CrossedPower:
    """Power to find a difference of two conditions where participants and stimuli are random samples.

    Parameters
    ----------
    d : float
        Difference of the means over the square root of the sum of all variance components.
    participants, stimuli : int
        Numbers in all.
    design : {"crossed", "counterbalanced", "stimuli within", "participants within", "both within"}
        Every participant sees every stimulus in both conditions; in one of them, half of each; stimuli belong to a
        condition; participants do; or both, so that participants see the stimuli of their own condition only.
    residual, participant, stimulus, participant_condition, stimulus_condition, participant_stimulus : float
        Variance components: of the residual, intercepts of participants and of stimuli, their slopes for condition
        coded -1 and 1, and the combination of participant and stimulus. They are taken as shares of their sum.
    alpha : float
        Level of the test.

    Returns
    -------
    CrossedPower

    Raises
    ------
    OptionError
        A number is out of range.

    Notes
    -----
    With p participants, q stimuli, n observations and shares V, the variance of half the difference is
    V_PC / p + V_SC / q + V_E / n in the crossed design. V_PS / n is added where a combination occurs in one condition
    only, V_P / p where participants differ between conditions, V_S / q where stimuli do. Degrees of freedom combine
    the mean squares of participants, stimuli and the rest as Satterthwaite's. `power` simulates any other design.

    References
    ----------
    Westfall, Kenny & Judd (2014), Journal of Experimental Psychology: General 143, 2020-2045.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> found = ms.crossed_power(0.5, participants=30, stimuli=30)
    >>> round(found.power, 3), round(found.df, 1)
    (0.844, 55.3)
    """
    check_level(alpha, "alpha")
    one_of("design", design, get_args(CrossedDesign))
    components = {
        "residual": residual,
        "participant": participant,
        "stimulus": stimulus,
        "participant_condition": participant_condition,
        "stimulus_condition": stimulus_condition,
        "participant_stimulus": participant_stimulus,
    }
    for name, value in components.items():
        if not is_number(value) or not 0.0 <= value < np.inf:
            raise OptionError(f"{name}={value!r} must be a variance: a number that is not negative.")
    if not is_number(d) or not abs(d) < np.inf:
        raise OptionError(f"d={d!r} must be a finite number.")
    between_p, between_q = _BETWEEN[design]
    for name, size, least in (("participants", participants, 2 + between_p), ("stimuli", stimuli, 2 + between_q)):
        if not is_number(size) or not size >= least:
            raise OptionError(f"{name}={size!r} must be a number of at least {least} in the design {design!r}.")
    total = sum(components.values())
    if not total > 0.0:
        raise OptionError("All variance components are 0: give the variances of your design.")
    p, q = float(participants), float(stimuli)
    share = {name: value / total for name, value in components.items()}
    observations = {"crossed": 2.0, "both within": 0.5}.get(design, 1.0) * p * q
    rest = (share["residual"] + (design != "crossed") * share["participant_stimulus"]) / observations
    of_p = (share["participant_condition"] + between_p * share["participant"]) / p
    of_q = (share["stimulus_condition"] + between_q * share["stimulus"]) / q
    variance = of_p + of_q + rest
    df_p, df_q = p - 1.0 - between_p, q - 1.0 - between_q
    parts = ((of_p + rest, df_p), (of_q + rest, df_q), (rest, df_p * df_q))
    df = variance**2 / sum(part**2 / freedom for part, freedom in parts)
    ncp = min(abs(d), 1e6) / (2.0 * np.sqrt(variance))
    critical = -float(stdtrit(df, 0.5 * alpha))
    power = 1.0 - float(nctdtr(df, ncp, critical)) + float(nctdtr(df, ncp, -critical))
    return CrossedPower(power=power, ncp=float(ncp), df=float(df), se=float(2.0 * np.sqrt(variance)))

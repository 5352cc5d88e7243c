"""Why a score is what it is: functions of draws, verdicts and costs that say what they assume.

Every function is pure and gives a frozen result, whose `assumes` are the conditions under which it
holds.
"""

from __future__ import annotations

from .abstention import Abstention, Chosen, Covered, abstention
from .beta_binomial import BetaBinomial, fit_beta_binomial
from .cost import IdealTime, Worth, break_even, e3, fit_ideal_time, worth
from .coverage import Coverage, coverage
from .decided import Decided, decided
from .diversity import Diversity, diversity
from .draws import Draw, Draws, gathered
from .forecast import Forecast, forecast
from .judges import Agreement, Judge, Pair, Verdict, agreement, judge
from .kappa import cohen_kappa, fleiss_kappa
from .models import Answers, Errors, answers_of, errors
from .power_law import PowerLaw, fit_power_law
from .resampling import Resampling, resampling
from .saturation import Saturation, saturation
from .selective import Selective, Threshold, selective, threshold_for
from .source import read_draws
from .split import Allocation, Cell, Split, split, verdicts_of
from .subsets import Ensembles, Subset, best_subset, ensembles, greedy_subset
from .verifier import Verifier, auc, verifier

__all__ = [
    "Abstention",
    "Agreement",
    "Allocation",
    "Answers",
    "BetaBinomial",
    "Cell",
    "Chosen",
    "Coverage",
    "Covered",
    "Decided",
    "Diversity",
    "Draw",
    "Draws",
    "Ensembles",
    "Errors",
    "Forecast",
    "IdealTime",
    "Judge",
    "Pair",
    "PowerLaw",
    "Resampling",
    "Saturation",
    "Selective",
    "Split",
    "Subset",
    "Threshold",
    "Verdict",
    "Verifier",
    "Worth",
    "abstention",
    "agreement",
    "answers_of",
    "auc",
    "best_subset",
    "break_even",
    "cohen_kappa",
    "coverage",
    "decided",
    "diversity",
    "e3",
    "ensembles",
    "errors",
    "fit_beta_binomial",
    "fit_ideal_time",
    "fit_power_law",
    "fleiss_kappa",
    "forecast",
    "gathered",
    "greedy_subset",
    "judge",
    "read_draws",
    "resampling",
    "saturation",
    "selective",
    "split",
    "threshold_for",
    "verdicts_of",
    "verifier",
    "worth",
]

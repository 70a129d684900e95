from .baseline import noise as noise
from .budget import Budget as Budget
from .budget import Threat as Threat
from .budget import check_eps as check_eps
from .classes import ClassProblem as ClassProblem
from .core import perturb as perturb
from .gradient.fgsm import fgsm as fgsm
from .gradient.fgsm import rfgsm as rfgsm
from .gradient.ifgsm import ifgsm as ifgsm
from .gradient.mifgsm import mifgsm as mifgsm
from .gradient.pgd import pgd as pgd
from .maps import MapProblem as MapProblem
from .measure import audit as audit
from .measure import measured as measured
from .problem import Problem as Problem
from .problem import frozen as frozen
from .result import Result as Result
from .scored import ScoreProblem as ScoreProblem
from .table import ATTACKS as ATTACKS

__all__ = [
    "ATTACKS",
    "Budget",
    "ClassProblem",
    "MapProblem",
    "Problem",
    "Result",
    "ScoreProblem",
    "Threat",
    "audit",
    "check_eps",
    "fgsm",
    "frozen",
    "ifgsm",
    "measured",
    "mifgsm",
    "noise",
    "perturb",
    "pgd",
    "rfgsm",
]

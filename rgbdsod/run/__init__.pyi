from .alignment_settings import AlignmentSettings as AlignmentSettings
from .attack_settings import AttackPlan as AttackPlan
from .attack_settings import AttackSettings as AttackSettings
from .detector import DetectorRow as DetectorRow
from .detector import evaluate_detector as evaluate_detector
from .execute import Target as Target
from .mismatch import Mismatched as Mismatched
from .pair_filter import PairFilter as PairFilter
from .pair_filter import score_pairs as score_pairs
from .results import AttackResult as AttackResult
from .results import EvalResult as EvalResult

__all__ = [
    "AlignmentSettings",
    "AttackPlan",
    "AttackResult",
    "AttackSettings",
    "DetectorRow",
    "EvalResult",
    "Mismatched",
    "PairFilter",
    "Target",
    "evaluate_detector",
    "score_pairs",
]

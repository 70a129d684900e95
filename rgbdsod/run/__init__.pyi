from .attack_settings import AttackPlan as AttackPlan
from .attack_settings import AttackSettings as AttackSettings
from .execute import Target as Target
from .results import AttackResult as AttackResult
from .results import EvalResult as EvalResult

__all__ = ["AttackPlan", "AttackResult", "AttackSettings", "EvalResult", "Target"]

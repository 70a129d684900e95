from .filters.chain import Chain as Chain
from .filters.compose import compose as compose
from .filters.table import DEFENSES as DEFENSES
from .filters.table import DefenseRow as DefenseRow
from .patch.aware import Defended as Defended
from .patch.aware import through as through
from .patch.certificates.certify import Bounds as Bounds
from .patch.certificates.certify import Certificate as Certificate
from .patch.certificates.certify import certify as certify
from .patch.certificates.cleanser import Cleansed as Cleansed
from .patch.certificates.cleanser import cleanse as cleanse
from .patch.certificates.covers import Cover as Cover
from .patch.certificates.covers import cover as cover
from .patch.certificates.seeker import Recalled as Recalled
from .patch.certificates.seeker import Sought as Sought
from .patch.certificates.seeker import half_masks as half_masks
from .patch.certificates.seeker import recalled as recalled
from .patch.certificates.seeker import seek as seek
from .patch.fills import FILLS as FILLS
from .patch.fills import fill as fill
from .patch.purifier import Defence as Defence
from .patch.purifier import Purified as Purified
from .patch.purifier import Purifier as Purifier
from .patch.table import PATCH_DEFENSES as PATCH_DEFENSES
from .patch.table import PatchDefenseRow as PatchDefenseRow
from .patch.table import patch_defense as patch_defense
from .training.consistency import attention_distance as attention_distance
from .training.consistency import cross_modal_attention as cross_modal_attention
from .training.consistency import feature_distance as feature_distance
from .training.divergence import bernoulli_kl as bernoulli_kl
from .training.fast import FastTraining as FastTraining
from .training.free import FreeTraining as FreeTraining
from .training.pgd import AdversarialTraining as AdversarialTraining
from .training.protocol import MapHardening as MapHardening
from .training.protocol import TrainingStep as TrainingStep
from .training.table import MAP_HARDENINGS as MAP_HARDENINGS
from .training.table import map_hardening as map_hardening
from .training.trades import Trades as Trades
from .zero_shot.attention import gradcam as gradcam
from .zero_shot.attention import text_attention as text_attention
from .zero_shot.attention import vision_attention as vision_attention
from .zero_shot.contrast import class_logits as class_logits
from .zero_shot.contrast import class_losses as class_losses
from .zero_shot.contrast import clip_losses as clip_losses
from .zero_shot.distances import kl_divergence as kl_divergence
from .zero_shot.distances import squared_distance as squared_distance
from .zero_shot.encoder import Encoder as Encoder
from .zero_shot.hardening import Hardening as Hardening
from .zero_shot.inner import InnerAttack as InnerAttack
from .zero_shot.numerics import NumericsError as NumericsError
from .zero_shot.numerics import check_gradients as check_gradients
from .zero_shot.numerics import check_losses as check_losses
from .zero_shot.parts import TuningBatch as TuningBatch
from .zero_shot.presets import TUNING_PRESETS as TUNING_PRESETS
from .zero_shot.presets import TuningPreset as TuningPreset
from .zero_shot.resizing import image_distance as image_distance
from .zero_shot.resizing import map_distance as map_distance
from .zero_shot.table import METHODS as METHODS
from .zero_shot.table import MethodRow as MethodRow
from .zero_shot.table import hardening_method as hardening_method

__all__ = [
    "DEFENSES",
    "FILLS",
    "MAP_HARDENINGS",
    "METHODS",
    "PATCH_DEFENSES",
    "TUNING_PRESETS",
    "AdversarialTraining",
    "Bounds",
    "Certificate",
    "Chain",
    "Cleansed",
    "Cover",
    "Defence",
    "Defended",
    "DefenseRow",
    "Encoder",
    "FastTraining",
    "FreeTraining",
    "Hardening",
    "InnerAttack",
    "MapHardening",
    "MethodRow",
    "NumericsError",
    "PatchDefenseRow",
    "Purified",
    "Purifier",
    "Recalled",
    "Sought",
    "Trades",
    "TrainingStep",
    "TuningBatch",
    "TuningPreset",
    "attention_distance",
    "bernoulli_kl",
    "certify",
    "check_gradients",
    "check_losses",
    "class_logits",
    "class_losses",
    "cleanse",
    "clip_losses",
    "compose",
    "cover",
    "cross_modal_attention",
    "feature_distance",
    "fill",
    "gradcam",
    "half_masks",
    "hardening_method",
    "image_distance",
    "kl_divergence",
    "map_distance",
    "map_hardening",
    "patch_defense",
    "recalled",
    "seek",
    "squared_distance",
    "text_attention",
    "through",
    "vision_attention",
]

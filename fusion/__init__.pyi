from .alignment.cross import CrossEncoder as CrossEncoder
from .alignment.dense import DenseITC as DenseITC
from .alignment.dense import consistency_map as consistency_map
from .alignment.dense import dense_itc_loss as dense_itc_loss
from .alignment.filter import filter_quality as filter_quality
from .alignment.filter import filter_weights as filter_weights
from .alignment.itc import ITC as ITC
from .alignment.itc import itc_loss as itc_loss
from .alignment.itc import itc_losses as itc_losses
from .alignment.itm import ITM as ITM
from .alignment.manipulation import Manipulation as Manipulation
from .alignment.manipulation import manipulation_contrast as manipulation_contrast
from .alignment.manipulation import patch_loss as patch_loss
from .alignment.masked import MaskedModelling as MaskedModelling
from .alignment.negatives import altered_depth as altered_depth
from .alignment.negatives import hard_negatives as hard_negatives
from .alignment.queue import FeatureQueue as FeatureQueue
from .alignment.queue import MomentumCopy as MomentumCopy
from .alignment.queue import queue_itc_loss as queue_itc_loss
from .cross_modal import cross_modal as cross_modal
from .depth_enhancement import ChannelGate as ChannelGate
from .depth_enhancement import SpatialGate as SpatialGate
from .extra_channels import widen as widen
from .operators import fusion_operator as fusion_operator
from .presets import FUSIONS as FUSIONS
from .presets import PRESETS as PRESETS
from .presets import PROTOCOLS as PROTOCOLS
from .presets import named_spec as named_spec
from .spec import FusionSpec as FusionSpec
from .table import OPERATORS as OPERATORS
from .table import OperatorRow as OperatorRow

__all__ = [
    "FUSIONS",
    "ITC",
    "ITM",
    "OPERATORS",
    "PRESETS",
    "PROTOCOLS",
    "ChannelGate",
    "CrossEncoder",
    "DenseITC",
    "FeatureQueue",
    "FusionSpec",
    "Manipulation",
    "MaskedModelling",
    "MomentumCopy",
    "OperatorRow",
    "SpatialGate",
    "altered_depth",
    "consistency_map",
    "cross_modal",
    "dense_itc_loss",
    "filter_quality",
    "filter_weights",
    "fusion_operator",
    "hard_negatives",
    "itc_loss",
    "itc_losses",
    "manipulation_contrast",
    "named_spec",
    "patch_loss",
    "queue_itc_loss",
    "widen",
]

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
    "OPERATORS",
    "PRESETS",
    "PROTOCOLS",
    "ChannelGate",
    "FusionSpec",
    "OperatorRow",
    "SpatialGate",
    "cross_modal",
    "fusion_operator",
    "named_spec",
    "widen",
]

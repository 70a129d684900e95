from .cross_modal import cross_modal as cross_modal
from .depth_enhancement import ChannelGate as ChannelGate
from .depth_enhancement import SpatialGate as SpatialGate

__all__ = ["ChannelGate", "SpatialGate", "cross_modal"]

from .base import Card as Card
from .base import SaliencyModel as SaliencyModel
from .checkpoint import read_state as read_state
from .checkpoint import save_asset as save_asset
from .device import available_devices as available_devices
from .device import resolve_device as resolve_device
from .losses import training_loss as training_loss
from .table import MODELS as MODELS
from .table import InputSpec as InputSpec
from .table import ModelRow as ModelRow
from .wrap import wrap as wrap
from .zoo import build_model as build_model
from .zoo import load_model as load_model

__all__ = [
    "MODELS",
    "Card",
    "InputSpec",
    "ModelRow",
    "SaliencyModel",
    "available_devices",
    "build_model",
    "load_model",
    "read_state",
    "resolve_device",
    "save_asset",
    "training_loss",
    "wrap",
]

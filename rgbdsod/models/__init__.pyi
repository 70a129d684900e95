from .base import Card as Card
from .base import SaliencyModel as SaliencyModel
from .checkpoint import read_state as read_state
from .checkpoint import save_asset as save_asset
from .cost import Cost as Cost
from .cost import network_cost as network_cost
from .detectors.adapter import TorchvisionDetector as TorchvisionDetector
from .detectors.decoded import DecodedDetector as DecodedDetector
from .detectors.load import load_detector as load_detector
from .detectors.objective_table import DETECTION_OBJECTIVES as DETECTION_OBJECTIVES
from .detectors.problem import DetectionProblem as DetectionProblem
from .detectors.protocol import Candidates as Candidates
from .detectors.protocol import Detector as Detector
from .detectors.table import DETECTORS as DETECTORS
from .detectors.table import DetectorRow as DetectorRow
from .device import available_devices as available_devices
from .device import resolve_device as resolve_device
from .losses import training_loss as training_loss
from .table import MODELS as MODELS
from .table import InputSpec as InputSpec
from .table import ModelRow as ModelRow
from .through_depth import ThroughDepth as ThroughDepth
from .unet_hha import reads_hha as reads_hha
from .unet_start import start_from as start_from
from .unet_streams import build_unet as build_unet
from .wrap import wrap as wrap
from .zoo import build_model as build_model
from .zoo import load_model as load_model

__all__ = [
    "DETECTION_OBJECTIVES",
    "DETECTORS",
    "MODELS",
    "Candidates",
    "Card",
    "Cost",
    "DecodedDetector",
    "DetectionProblem",
    "Detector",
    "DetectorRow",
    "InputSpec",
    "ModelRow",
    "SaliencyModel",
    "ThroughDepth",
    "TorchvisionDetector",
    "available_devices",
    "build_model",
    "build_unet",
    "load_detector",
    "load_model",
    "network_cost",
    "read_state",
    "reads_hha",
    "resolve_device",
    "save_asset",
    "start_from",
    "training_loss",
    "wrap",
]

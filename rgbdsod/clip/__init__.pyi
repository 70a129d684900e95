from .encoder import NORMALIZATIONS as NORMALIZATIONS
from .encoder import ClipModel as ClipModel
from .encoder import Normalization as Normalization

__all__ = ["NORMALIZATIONS", "ClipModel", "Normalization"]

from .bank import TextBank as TextBank
from .bank import TextCache as TextCache
from .checkpoint import load_checkpoint as load_checkpoint
from .checkpoint import save_checkpoint as save_checkpoint
from .encoder import NORMALIZATIONS as NORMALIZATIONS
from .encoder import ClipModel as ClipModel
from .encoder import Normalization as Normalization
from .layouts import Checkpoint as Checkpoint
from .layouts import Origin as Origin
from .layouts import read_checkpoint as read_checkpoint
from .load import load_clip as load_clip
from .openclip import OpenClipModel as OpenClipModel
from .openclip import load_open_clip as load_open_clip
from .small import SmallClip as SmallClip
from .space import pixels as pixels
from .zero_shot import ZeroShot as ZeroShot

__all__ = [
    "NORMALIZATIONS",
    "Checkpoint",
    "ClipModel",
    "Normalization",
    "OpenClipModel",
    "Origin",
    "SmallClip",
    "TextBank",
    "TextCache",
    "ZeroShot",
    "load_checkpoint",
    "load_clip",
    "load_open_clip",
    "pixels",
    "read_checkpoint",
    "save_checkpoint",
]

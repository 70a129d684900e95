from .dataset import Summary as Summary
from .dataset import summary as summary
from .distortion import perturbation as perturbation
from .histogram import counts as counts
from .maps import curves as curves
from .maps import from_counts as from_counts
from .maps import saliency as saliency
from .maps import without_foreground as without_foreground
from .masks import MaskCache as MaskCache
from .significance import Interval as Interval
from .significance import paired_change as paired_change
from .single import ber as ber
from .single import em as em
from .single import fm as fm
from .single import iou as iou
from .single import mae as mae
from .single import sm as sm
from .table import METRICS as METRICS
from .table import PROTOCOLS as PROTOCOLS
from .table import Metric as Metric
from .weighted import wfm as wfm

__all__ = [
    "METRICS",
    "PROTOCOLS",
    "Interval",
    "MaskCache",
    "Metric",
    "Summary",
    "ber",
    "counts",
    "curves",
    "em",
    "fm",
    "from_counts",
    "iou",
    "mae",
    "paired_change",
    "perturbation",
    "saliency",
    "sm",
    "summary",
    "wfm",
    "without_foreground",
]

from .dataset import Summary as Summary
from .dataset import summary as summary
from .detection import DetectionScores as DetectionScores
from .detection import average_precision as average_precision
from .detection_success import attack_success as attack_success
from .detection_success import found as found
from .detection_success import vanish_rate as vanish_rate
from .detection_success import visible_share as visible_share
from .distortion import perturbation as perturbation
from .distribution import DistributionDistance as DistributionDistance
from .distribution import distribution_distance as distribution_distance
from .distribution import frechet_distance as frechet_distance
from .distribution import kernel_distance as kernel_distance
from .embedders import Embedder as Embedder
from .embedders import RandomEmbedder as RandomEmbedder
from .histogram import counts as counts
from .localisation import Localisation as Localisation
from .localisation import localisation as localisation
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
from .spectrum import spectrum as spectrum
from .table import METRICS as METRICS
from .table import PROTOCOLS as PROTOCOLS
from .table import Metric as Metric
from .weighted import wfm as wfm

__all__ = [
    "METRICS",
    "PROTOCOLS",
    "DetectionScores",
    "DistributionDistance",
    "Embedder",
    "Interval",
    "Localisation",
    "MaskCache",
    "Metric",
    "RandomEmbedder",
    "Summary",
    "attack_success",
    "average_precision",
    "ber",
    "counts",
    "curves",
    "distribution_distance",
    "em",
    "fm",
    "found",
    "frechet_distance",
    "from_counts",
    "iou",
    "kernel_distance",
    "localisation",
    "mae",
    "paired_change",
    "perturbation",
    "saliency",
    "sm",
    "spectrum",
    "summary",
    "vanish_rate",
    "visible_share",
    "wfm",
    "without_foreground",
]

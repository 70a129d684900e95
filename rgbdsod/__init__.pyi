from . import attacks as attacks
from . import clip as clip
from . import datasets as datasets
from . import defenses as defenses
from . import errors as errors
from . import fusion as fusion
from . import metrics as metrics
from . import models as models
from . import run as run
from .datasets import load_dataset as load_dataset
from .models import load_model as load_model
from .models import wrap as wrap
from .report import report as report
from .run.ablation.ablate import ablate as ablate
from .run.attack import attack as attack
from .run.catalogue import info as info
from .run.catalogue import list_attacks as list_attacks
from .run.catalogue import list_datasets as list_datasets
from .run.catalogue import list_models as list_models
from .run.evaluate import evaluate as evaluate
from .run.evaluate import evaluate_maps as evaluate_maps
from .run.interpolate import interpolate as interpolate
from .run.train import train as train

__version__: str
__all__ = [
    "__version__",
    "ablate",
    "attack",
    "evaluate",
    "evaluate_maps",
    "info",
    "interpolate",
    "list_attacks",
    "list_datasets",
    "list_models",
    "load_dataset",
    "load_model",
    "report",
    "train",
    "wrap",
]

from .augment import Augmentation as Augmentation
from .augment import augment as augment
from .augment import resized as resized
from .batch import collate as collate
from .check import Finding as Finding
from .check import check_folder as check_folder
from .dataset import Dataset as Dataset
from .dataset import join as join
from .demo import TEST_SEED as TEST_SEED
from .depth import DepthConvention as DepthConvention
from .depth import read_depth as read_depth
from .folder import Folder as Folder
from .images import read_map as read_map
from .images import read_mask as read_mask
from .images import read_rgb as read_rgb
from .known import DATASETS as DATASETS
from .known import KnownSet as KnownSet
from .load import load_dataset as load_dataset
from .mixture import mixture as mixture
from .sample import Sample as Sample
from .scenes import Scenes as Scenes
from .scenes import scene as scene
from .scenes import scene_kind as scene_kind
from .write import write_depth as write_depth
from .write import write_map as write_map
from .write import write_rgb as write_rgb

__all__ = [
    "DATASETS",
    "TEST_SEED",
    "Augmentation",
    "Dataset",
    "DepthConvention",
    "Finding",
    "Folder",
    "KnownSet",
    "Sample",
    "Scenes",
    "augment",
    "check_folder",
    "collate",
    "join",
    "load_dataset",
    "mixture",
    "read_depth",
    "read_map",
    "read_mask",
    "read_rgb",
    "resized",
    "scene",
    "scene_kind",
    "write_depth",
    "write_map",
    "write_rgb",
]

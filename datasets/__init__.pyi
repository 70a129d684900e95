from .augment import Augmentation as Augmentation
from .augment import augment as augment
from .augment import resized as resized
from .batch import collate as collate
from .check import Finding as Finding
from .check import check_folder as check_folder
from .coco.boxed import BoxedImage as BoxedImage
from .coco.boxed import BoxedSet as BoxedSet
from .coco.boxed import renumbered as renumbered
from .coco.patches import PlacedPatch as PlacedPatch
from .coco.patches import read_patches as read_patches
from .coco.patches import write_patches as write_patches
from .coco.read import CocoSet as CocoSet
from .coco.shape_scenes import ShapeScenes as ShapeScenes
from .coco.shape_scenes import shape_scene as shape_scene
from .coco.splits import PatchSplit as PatchSplit
from .coco.splits import check_manifest as check_manifest
from .coco.splits import photograph_sha256 as photograph_sha256
from .coco.splits import split_patches as split_patches
from .coco.splits import write_manifest as write_manifest
from .coco.tensors import boxed_batch as boxed_batch
from .coco.tensors import objects_of as objects_of
from .dataset import Dataset as Dataset
from .dataset import join as join
from .demo import TEST_SEED as TEST_SEED
from .depth import DepthConvention as DepthConvention
from .depth import read_depth as read_depth
from .folder import Folder as Folder
from .glyphs import Glyph as Glyph
from .glyphs import Glyphs as Glyphs
from .glyphs import glyph as glyph
from .glyphs import glyphs as glyphs
from .hha.camera import resized_camera as resized_camera
from .hha.camera_file import read_camera as read_camera
from .hha.encode import Hha as Hha
from .hha.encode import encode_hha as encode_hha
from .hha.encode import pseudo_hha as pseudo_hha
from .hha.encode import sample_hha as sample_hha
from .hha.encoder import HHAEncoder as HHAEncoder
from .hha.exact import ExactHHA as ExactHHA
from .hha.scale import DepthScale as DepthScale
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
from .zero_shot.glyph_sets import glyph_set as glyph_set
from .zero_shot.known import ZERO_SHOT_SETS as ZERO_SHOT_SETS
from .zero_shot.known import ZeroShotSet as ZeroShotSet
from .zero_shot.labelled import ImageSet as ImageSet
from .zero_shot.labelled import LabelledImage as LabelledImage
from .zero_shot.load import load_image_set as load_image_set

__all__ = [
    "DATASETS",
    "TEST_SEED",
    "ZERO_SHOT_SETS",
    "Augmentation",
    "BoxedImage",
    "BoxedSet",
    "CocoSet",
    "Dataset",
    "DepthConvention",
    "DepthScale",
    "ExactHHA",
    "Finding",
    "Folder",
    "Glyph",
    "Glyphs",
    "HHAEncoder",
    "Hha",
    "ImageSet",
    "KnownSet",
    "LabelledImage",
    "PatchSplit",
    "PlacedPatch",
    "Sample",
    "Scenes",
    "ShapeScenes",
    "ZeroShotSet",
    "augment",
    "boxed_batch",
    "check_folder",
    "check_manifest",
    "collate",
    "encode_hha",
    "glyph",
    "glyph_set",
    "glyphs",
    "join",
    "load_dataset",
    "load_image_set",
    "mixture",
    "objects_of",
    "photograph_sha256",
    "pseudo_hha",
    "read_camera",
    "read_depth",
    "read_map",
    "read_mask",
    "read_patches",
    "read_rgb",
    "renumbered",
    "resized",
    "resized_camera",
    "sample_hha",
    "scene",
    "scene_kind",
    "shape_scene",
    "split_patches",
    "write_depth",
    "write_manifest",
    "write_map",
    "write_patches",
    "write_rgb",
]

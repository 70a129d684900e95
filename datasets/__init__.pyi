from .dataset import Dataset as Dataset
from .sample import Sample as Sample
from .scenes import Scenes as Scenes
from .scenes import scene as scene
from .scenes import scene_kind as scene_kind

__all__ = ["Dataset", "Sample", "Scenes", "scene", "scene_kind"]

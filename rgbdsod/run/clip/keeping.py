"""Adversarial pictures of a zero-shot attack: rounded inside their budget, written, read back, and then measured."""

import re
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks.quantise import quantise
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.run.clip.strike import Scene, Struck, predicted
from rgbdsod.run.pictures import decode, encode, from_levels, to_levels
from rgbdsod.run.store import Store

LEVELS = 255


@dataclass(frozen=True)
class Keeper:
    """Writes pictures in class folders, which `load_image_set` reads.

    Args:
        shown: ids of the images whose pictures the report shows.
    """

    shown: frozenset[str] = frozenset()

    def keep(self, store: Store, data: ImageSet, scene: Scene, struck: Struck) -> Struck:
        """The same with the images as the files have them, and what they are classified as.

        Args:
            store: where files go.
            data: the set of the images.
            scene: before the attack.
            struck: after it.
        """
        rounded = quantise(struck.images, scene.images, struck.threat, LEVELS)
        back = torch.cat(
            [
                _through(store, file_name(data, name, int(label)), picture[None])
                for name, label, picture in zip(scene.ids, scene.labels, rounded, strict=True)
            ]
        ).to(scene.images)
        for place, name in enumerate(scene.ids):
            if name in self.shown:
                store.write(f"images/{safe(name)}/rgb.png", _png(scene.images[place : place + 1]))
                store.write(f"images/{safe(name)}/adv_rgb.png", _png(back[place : place + 1]))
        found = predicted(scene.classifier, back, scene.batch)
        return replace(struck, images=back, predicted=found, exact=struck.predicted)


def file_name(data: ImageSet, sample_id: str, label: int) -> str:
    """Where the picture of an image lies: in the folder of its class."""
    stem = sample_id.removeprefix(f"{data.name}/").removesuffix(".png")
    return f"adversarial/{safe(data.name)}/{safe(data.class_names[label], ' ')}/{safe(stem)}.png"


def safe(name: str, other: str = "-") -> str:
    """A name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9._ +-]+", other, name).strip("-. ") or "image"


def _through(store: Store, name: str, image: Tensor) -> Tensor:
    store.write(name, _png(image))
    return torch.from_numpy(from_levels(decode(store.read(name)))).permute(2, 0, 1)[None]


def _png(image: Tensor) -> bytes:
    """An image (1,3,H,W) in [0, 1] as PNG."""
    return encode(to_levels(np.moveaxis(image[0].float().cpu().numpy(), 0, -1), LEVELS))

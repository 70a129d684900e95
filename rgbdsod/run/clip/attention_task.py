"""Attention maps of some images, clean and attacked, as `rgbdsod.run.execute` runs them."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rgbdsod.clip import TextBank, ZeroShot, pixels
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.defenses.zero_shot.resizing import map_distance, resized
from rgbdsod.run.clip.attacks import find_attack
from rgbdsod.run.clip.attention_numbers import attention_metrics
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.keeping import safe
from rgbdsod.run.clip.looking import Attention, Sight, look
from rgbdsod.run.clip.opening import DualEncoder
from rgbdsod.run.clip.perturbed import perturbed
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.clip.strike import budget_of
from rgbdsod.run.clip.texts import texts_of
from rgbdsod.run.pictures import encode, to_levels
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

COMMAND = "clip attention"

SIDE = 224
"""Of the squares that maps are compared on, as in the losses of TGA-ZSR."""

_OWN = ("attack", "eps", "steps", "attack_space", "templates", "seed")

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Views:
    """What one encoder makes of the images of a batch.

    Args:
        moved: its own adversarial images (B,3,H,W).
        clean: what it sees in the images.
        attacked: what it sees in the adversarial ones.
    """

    moved: Tensor
    clean: Sight
    attacked: Sight


@dataclass(eq=False)
class AttentionTask:
    """Look at every image with one or two encoders, before and under each one's own attack.

    Args:
        encoder: the original model.
        repaired: a hardened one, or None.
        data: the sets.
        kinds: of attention.
        chosen: attack, radius, steps, pixels, prompts and seed.
        given: how a command line named models and data, for config.toml.
    """

    encoder: DualEncoder
    repaired: DualEncoder | None
    data: ImageSets
    kinds: tuple[Attention, ...]
    chosen: ZeroShotSettings
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = COMMAND
    _classifiers: dict[tuple[str, int], ZeroShot] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Model, data and attack."""
        names = "+".join(Path(data.name).name for data in self.data.sets[:2])
        return "-".join((self.encoder.model.name, names, self.chosen.attacks[0]))

    @property
    def encoders(self) -> tuple[DualEncoder, ...]:
        """The original, and the repaired one if there is one."""
        return (self.encoder,) if self.repaired is None else (self.encoder, self.repaired)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode, without weight gradients."""
        return tuple(own.model for own in self.encoders)

    def settings(self) -> dict[str, Any]:
        """All that the maps depend on."""
        own = self.chosen.record()
        return {**self.given, **{name: own[name] for name in _OWN if name in own}, "attention": ",".join(self.kinds)}

    def record(self) -> dict[str, Any]:
        """Entries of run.json; the checksum is that of both models."""
        model = self.encoder.record()
        found: dict[str, Any] = {"model": model, "data": self.data.record(), "seed": self.chosen.seed}
        found["dtype"] = "float32"
        if self.repaired is not None:
            found["repaired"] = self.repaired.record()
            both = f"{model['sha256']} {found['repaired']['sha256']}"
            found["model"] = model | {"sha256": hashlib.sha256(both.encode()).hexdigest()}
        return found

    def begin(self, store: Store) -> None:
        """Encode the prompts of each set, once for each model."""
        for place, own in enumerate(self.encoders):
            for data in self.data.sets:
                bank = TextBank(own.model, texts_of(data, own.model, self.chosen.templates))
                self._classifiers[data.name, place] = ZeroShot(own.model, bank)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack and look at images of one set, and write their pictures."""
        data, places = self.data.part(part)
        model = self.encoder.model
        images = pixels(data, places, side=model.side, space=self.chosen.attack_space).to(model.device)
        labels = torch.as_tensor(data.labels[places], device=model.device)
        ids = [f"{data.name}/{data.ids[place]}" for place in places]
        found: list[Views] = []
        for turn in range(len(self.encoders)):
            found.append(self._views(self._classifiers[data.name, turn], images, labels, ids))
            advance(len(part) * (turn + 1) / len(self.encoders))
        sights = _sights(found)
        far = self._distances(sights)
        rows = []
        for at, name in enumerate(ids):
            self._write(store, f"images/{safe(name)}", at, images, found, sights)
            head = {"id": name, "data": data.name, "pictures": safe(name), "label": int(labels[at])}
            rows.append(head | _seen(data, at, sights, int(labels[at])) | {key: float(v[at]) for key, v in far.items()})
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Means over the images."""
        chosen = self.chosen
        head = {"attack": chosen.attacks[0], "norm": find_attack(chosen.attacks[0]).norm, "eps": chosen.eps[0],
                "side": SIDE, "grid": list(self.encoder.model.grid)}  # fmt: skip
        tuned = None if self.repaired is None else self.repaired.record()["method"] or "a hardened model"
        return {**head, "repaired": tuned, **attention_metrics(merged.rows, self.kinds)}

    def _views(self, classifier: ZeroShot, images: Tensor, labels: Tensor, ids: list[str]) -> Views:
        chosen, texts = self.chosen, classifier.features
        attack = find_attack(chosen.attacks[0])
        members = attack.members(chosen.steps, {"step_size": None, "keep": "best"}, len(texts))
        threat = budget_of(attack, chosen.eps[0], chosen, images)
        moved = perturbed(classifier, images, labels, ids, members, threat, seed=chosen.seed)
        clean, attacked = (look(classifier.model, texts, own, labels, self.kinds) for own in (images, moved))
        return Views(moved, clean, attacked)

    def _distances(self, sights: Mapping[str, Sight]) -> dict[str, Tensor]:
        """How far each view's maps are from the original model's of the clean image, by column."""
        grid, found = self.encoder.model.grid, {}
        for kind in self.kinds:
            reference = sights["clean"].maps[kind]
            for view, sight in sights.items():
                if view != "clean":
                    maps = sight.maps[kind].to(reference)
                    found[f"{kind}_{view}_l2"] = map_distance(maps, reference, grid, side=SIDE, distance="l2")
                    found[f"{kind}_{view}_cosine"] = map_distance(maps, reference, grid, side=SIDE, distance="cos")
        return found

    def _write(
        self, store: Store, folder: str, at: int, images: Tensor, found: list[Views], sights: Mapping[str, Sight]
    ) -> None:
        """The image, its adversarial versions, maps as pictures, and maps as numbers on the patches' grid."""
        store.write(f"{folder}/image.png", encode(to_levels(_picture(images[at]), 255)))
        for name, views in zip(("adversarial", "repaired_adversarial"), found, strict=False):
            store.write(f"{folder}/{name}.png", encode(to_levels(_picture(views.moved[at]), 255)))
        grid = self.encoder.model.grid
        arrays: dict[str, Any] = {}
        for view, sight in sights.items():
            for kind in self.kinds:
                large = resized(sight.maps[kind][at : at + 1], grid, SIDE)[0].cpu().numpy()
                store.write(f"{folder}/{kind}_{view}.png", encode(to_levels(large, 255)))
                arrays[f"{kind}_{view}"] = sight.maps[kind][at].view(grid).cpu().numpy()
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        store.write(f"{folder}/maps.npz", buffer.getvalue())


def _sights(found: list[Views]) -> dict[str, Sight]:
    """By the names of columns: "clean" and "attacked" of the original, then those of the repaired model."""
    sights = {"clean": found[0].clean, "attacked": found[0].attacked}
    if len(found) > 1:
        sights |= {"repaired_clean": found[1].clean, "repaired": found[1].attacked}
    return sights


def _seen(data: ImageSet, at: int, sights: Mapping[str, Sight], label: int) -> Row:
    """The classes that each view shows, and their probabilities."""
    found: Row = {"class": data.class_names[label]}
    for view, sight in sights.items():
        predicted = int(sight.predicted[at])
        found |= {
            f"{view}_class": data.class_names[predicted],
            f"{view}_score": float(sight.score[at]),
            f"{view}_right": predicted == label,
        }
    return found


def _picture(image: Tensor) -> NDArray[np.float32]:
    """An image (3,H,W) as (H,W,3)."""
    values: NDArray[np.float32] = np.moveaxis(image.float().cpu().numpy(), 0, -1)
    return values

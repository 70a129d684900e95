"""A zero-shot evaluation, as `rgbdsod.run.execute` runs it."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rgbdsod.clip import SmallClip, TextBank, ZeroShot, pixels
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.interpolate import WeightPath
from rgbdsod.run.clip.keeping import Keeper
from rgbdsod.run.clip.opening import DualEncoder
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.clip.strike import Scene, Struck, perturbation_sizes, predicted, strike
from rgbdsod.run.clip.tables import collect
from rgbdsod.run.clip.texts import texts_of
from rgbdsod.run.measure import finite
from rgbdsod.run.memory import is_out_of_memory
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store

Row = dict[str, Any]

_NAMED = 4  # words that a note spells out


@dataclass(eq=False)
class ZeroShotTask:
    """Classify every image of every set, clean and under every attack; with a path of weights at each of its points.

    Args:
        encoder: the model.
        data: the sets.
        chosen: what to do.
        given: how a command line named model and data, for config.toml.
        command: "clip evaluate" or "clip attack".
        keeper: writes the pictures of a single attack, which are then what is measured; None: nothing is kept.
        batch: images that go through the encoder at once; None: all that come together.
    """

    encoder: DualEncoder
    data: ImageSets
    chosen: ZeroShotSettings
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "clip evaluate"
    keeper: Keeper | None = None
    batch: int | None = None
    _classifiers: dict[str, ZeroShot] = field(default_factory=dict)
    _path: WeightPath | None = None

    def __post_init__(self) -> None:
        if self.encoder.original is not None:
            self._path = WeightPath(self.encoder.model, self.encoder.original)

    @property
    def title(self) -> str:
        """Model, data and attacks."""
        names = "+".join(Path(data.name).name for data in self.data.sets[:2])
        more = f"+{len(self.data.sets) - 2}" if len(self.data.sets) > 2 else ""
        return "-".join((self.encoder.model.name, names + more, "+".join(self.chosen.attacks) or "clean"))

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.encoder.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.chosen.record()}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        chosen = self.chosen
        model = self.encoder.record()
        return {"model": model, "data": self.data.record(), "seed": chosen.seed, "dtype": chosen.dtype}

    def begin(self, store: Store) -> None:
        """Encode the prompts of each set, once."""
        model = self.encoder.model
        for data in self.data.sets:
            bank = TextBank(model, texts_of(data, model, self.chosen.templates))
            self._classifiers[data.name] = ZeroShot(model, bank)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Classify and attack images of one set, several batches of them together."""
        try:
            return self._piece(part, store, advance)
        except (RuntimeError, MemoryError) as error:
            if self.batch is not None and is_out_of_memory(error):
                self.batch = max(1, self.batch // 2)  # the images are halved by whoever catches it
            raise

    def _piece(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        data, places = self.data.part(part)
        chosen, model = self.chosen, self.encoder.model
        images = pixels(data, places, side=model.side, space=chosen.attack_space).to(model.device)
        labels = torch.as_tensor(data.labels[places], device=model.device)
        ids = [f"{data.name}/{data.ids[place]}" for place in places]
        rows: list[Row] = []
        turns = list(product(chosen.path or (None,), chosen.eps))
        for turn, (share, eps) in enumerate(turns):
            with self._at(share):
                classifier = self._classifiers[data.name]
                clean = predicted(classifier, images, self.batch)
                scene = Scene(classifier, images, labels, clean, ids, self.batch)
                tell = _Progress(advance, len(part), turn, len(turns))
                rows += self._rows(data, scene, share, eps, store, tell)
        return Piece(ids, rows)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Accuracies of each set under each attack, their averages, and what is suspicious."""
        return collect(merged.rows, self.data.record()["sets"], self.chosen, self.notes())

    def notes(self) -> list[str]:
        """What a user should know before trusting a number, one sentence each."""
        model = self.encoder.model
        found = list(self.data.warnings)
        if not isinstance(model, SmallClip):
            return found
        for data in self.data.sets:
            texts = [text for own in texts_of(data, model, self.chosen.templates) for text in own]
            words = model.unknown_words(texts)
            if words:
                shown = ", ".join(words[:_NAMED]) + (", ..." if len(words) > _NAMED else "")
                found.append(f"{data.name}: {model.name} never saw {len(words)} of the prompts' words ({shown})")
        return found

    def _rows(
        self, data: ImageSet, scene: Scene, share: float | None, eps: float, store: Store, tell: "_Progress"
    ) -> list[Row]:
        """A row of each image, after all attacks of one radius."""
        found, names = _heads(data, scene, share, eps), self.chosen.attacks
        for place, name in enumerate(names):
            struck = strike(name, scene, eps, self.chosen, tell.of(place, len(names)))
            if self.keeper is not None:
                struck = self.keeper.keep(store, data, scene, struck)
            found = [row | own for row, own in zip(found, _effects(name, scene, struck), strict=True)]
        return found

    def _at(self, share: float | None) -> AbstractContextManager[None]:
        return nullcontext() if share is None or self._path is None else self._path.at(share)


@dataclass(frozen=True)
class _Progress:
    """Turns the passes of one attack into images done.

    Args:
        advance: takes the images of this batch that are done.
        images: of the batch.
        before: parts of the work that are done with.
        work: parts in all.
    """

    advance: Callable[[float], None]
    images: int
    before: int
    work: int

    def of(self, place: int, count: int) -> "_Progress":
        """The same for one of several attacks that make up the next part."""
        return _Progress(self.advance, self.images, self.before * count + place, self.work * count)

    def __call__(self, done: int, total: int) -> None:
        self.advance(self.images * (self.before + done / max(total, 1)) / self.work)


def _heads(data: ImageSet, scene: Scene, share: float | None, eps: float) -> list[Row]:
    """What is known of each image before an attack."""
    own = {} if share is None else {"share": share}
    return [
        {"id": name, "data": data.name, "label": label, "prediction": clean, "eps": eps} | own
        for name, label, clean in zip(scene.ids, scene.labels.tolist(), scene.clean.tolist(), strict=True)
    ]


def _effects(name: str, scene: Scene, struck: Struck) -> Iterator[Row]:
    """What an attack did to each image; `broken`: classified rightly before it, and wrongly after it."""
    sizes = perturbation_sizes(struck, scene.images)
    exact = struck.predicted if struck.exact is None else struck.exact
    distance = [math.inf] * len(scene.ids) if struck.distance is None else struck.distance.tolist()
    for place, (label, clean) in enumerate(zip(scene.labels.tolist(), scene.clean.tolist(), strict=True)):
        attacked, after = bool(struck.attacked[place]), int(struck.predicted[place])
        yield {
            f"prediction_{name}": after,
            f"broken_{name}": clean == label and after != label,
            f"float_prediction_{name}": int(exact[place]),
            f"attacked_{name}": attacked,
            f"zero_gradient_{name}": finite(struck.zero_gradient[place].item()),
            f"radius_{name}": float(struck.threat.eps),
            f"size_{name}": sizes[place],
            f"distance_{name}": finite(distance[place]),
            f"forward_{name}": int(struck.forward[place]),
            f"backward_{name}": int(struck.backward[place]),
            f"seconds_{name}": struck.seconds if attacked else 0.0,
        }

"""The alignment losses of one training: their heads, their momentum copy, and one call a step."""

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from rgbdsod.fusion import (
    ITC,
    ITM,
    CrossEncoder,
    DenseITC,
    FeatureQueue,
    Manipulation,
    MaskedModelling,
    MomentumCopy,
    altered_depth,
    queue_itc_loss,
)
from rgbdsod.models import SaliencyModel
from rgbdsod.run.alignment_settings import LOSSES, AlignmentSettings
from rgbdsod.run.streams import NAMES, OwnStatistics, streams_of, unrecorded, widths_of
from rgbdsod.run.twins import twins

WARM_UP = 0.1
"""Share of a training over which distillation grows to its full share."""

Found = tuple[Tensor, dict[str, Tensor]]

_Part = TypeVar("_Part", bound=nn.Module)


class Alignment:
    """The losses that a training adds, on features of the network's two encoders.

    Args:
        model: in training; its encoders are run on each input alone.
        settings: which losses, and their knobs.
        seed: of the heads' first weights and of every draw.
        total: iterations of the training.

    Attributes:
        parts: all that is learned or remembered beside the network; saved in checkpoints.

    Raises:
        UsageError: the network has no two streams.
    """

    def __init__(self, model: SaliencyModel, settings: AlignmentSettings, *, seed: int, total: int) -> None:
        self.model, self.settings, self.seed, self.total = model, settings, seed, total
        self.streams = streams_of(model)
        channels, stride = widths_of(model, self.streams)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.parts = _parts(model, settings, channels, stride)
        self.statistics = self.parts["statistics"] = OwnStatistics(self.streams)
        if settings.queue:
            both = nn.ModuleDict({"streams": self.streams, "itc": self.parts["itc"]})
            self.parts["slow"] = MomentumCopy(both, settings.momentum)
            self.parts["queue"] = FeatureQueue(settings.queue, self.part("itc", ITC).size)
        self.parts.to(model.device)

    def parameters(self) -> Iterator[nn.Parameter]:
        """What the optimiser trains beside the network."""
        return (value for value in self.parts.parameters() if value.requires_grad)

    def features(self, name: str, x: Tensor) -> Tensor:
        """Features (B,C,h,w) of one input (B,c,H,W) in [0, 1], from its own encoder alone."""
        with self.statistics.used():
            feature: Tensor = self.streams(name, self.model.prepare(name, x))
        return feature

    def __call__(self, batch: dict[str, Tensor], iteration: int) -> Found:
        """The weighted sum of the losses, and each loss with its diagnostics by name.

        Args:
            batch: "rgb", "depth", "mask", and "id" and "group", (B,) integers.
            iteration: number of the step, from 0.
        """
        step = _Step(self, batch, iteration)
        total = torch.zeros((), device=self.model.device)
        seen: dict[str, Tensor] = {}
        for name, weight in self.settings.weights.items():
            loss, inside = step.losses[name]()
            total = total + weight * loss
            seen |= {name: loss.detach()} | {f"{name}_{key}": value for key, value in inside.items()}
        return total, seen

    def after_step(self) -> None:
        """The momentum copy follows; to be called after each step of the optimiser."""
        if "slow" in self.parts:
            self.part("slow", MomentumCopy).update(nn.ModuleDict({"streams": self.streams, "itc": self.parts["itc"]}))

    def match(self, batch: dict[str, Tensor]) -> Tensor:
        """Probability (B,) that each depth belongs to its RGB, from the matching head."""
        with torch.inference_mode():
            rgb, depth = (self.features(name, batch[name]) for name in NAMES)
            return self.part("itm", ITM).score(rgb, depth)

    def part(self, name: str, kind: type[_Part]) -> _Part:
        """One of `parts`, which is of this class."""
        found = self.parts[name]
        if not isinstance(found, kind):
            raise TypeError(f"{name} is a {type(found).__name__}")
        return found


class _Step:
    """The losses of one batch, which share its features."""

    def __init__(self, owner: Alignment, batch: dict[str, Tensor], iteration: int) -> None:
        self.owner, self.parts, self.settings = owner, owner.parts, owner.settings
        self.batch, self.iteration = batch, iteration
        self.progress = iteration / owner.total
        self.groups = batch.get("group")
        self.losses: dict[str, Callable[[], Found]] = {name: getattr(self, f"_{name}") for name in LOSSES}
        self.rgb, self.depth = (owner.features(name, batch[name]) for name in NAMES)
        if "itc" in self.parts:
            itc = owner.part("itc", ITC)
            self.rgb_vector, self.depth_vector = (itc.embed(name, x, batch["mask"]) for name, x in self._maps())

    def _maps(self) -> list[tuple[str, Tensor]]:
        return [("rgb", self.rgb), ("depth", self.depth)]

    def _generator(self, loss: str) -> torch.Generator:
        """Random numbers of one loss in this step, whatever other losses are on."""
        drawn = np.random.default_rng((self.owner.seed, self.iteration, LOSSES.index(loss))).integers(2**62)
        return torch.Generator().manual_seed(int(drawn))

    def _itc(self) -> Found:
        itc = self.owner.part("itc", ITC)
        if not self.settings.queue:
            return itc.loss(self.rgb_vector, self.depth_vector, self.groups)
        queue, ids = self.owner.part("queue", FeatureQueue), self.batch["id"]
        rgb, depth = self._keys()
        distill = self.settings.distill * min(1.0, self.progress / WARM_UP)
        found = queue_itc_loss(
            self.rgb_vector, self.depth_vector, rgb, depth, queue, itc.temperature, ids, self.groups, distill
        )
        queue.push(rgb, depth, ids, self.groups)
        return found

    @torch.no_grad()
    def _keys(self) -> list[Tensor]:
        """The momentum copy's embeddings of the batch."""
        slow = cast(nn.ModuleDict, self.owner.part("slow", MomentumCopy).module)
        slow.train(self.owner.streams.training)
        with unrecorded(slow):
            maps = {name: slow["streams"](name, self.owner.model.prepare(name, self.batch[name])) for name in NAMES}
            itc = cast(ITC, slow["itc"])
            return [itc.embed(name, map_, self.batch["mask"]) for name, map_ in maps.items()]

    def _itc_dense(self) -> Found:
        found: Found = self.parts["itc_dense"](self.rgb, self.depth, self._generator("itc_dense"), self.groups)
        return found

    def _itm(self) -> Found:
        generator = self._generator("itm")
        altered, visible = altered_depth(self.batch["depth"], self.batch["mask"], generator)
        similarity = self.owner.part("itc", ITC).similarity(self.rgb_vector, self.depth_vector)
        found: Found = self.parts["itm"](
            self.rgb, self.depth, similarity, generator, self.groups, self.owner.features("depth", altered), visible
        )
        return found

    def _masked(self) -> Found:
        generator = self._generator("masked")
        name = NAMES[int(torch.randint(2, (), generator=generator))]
        inputs = {key: self.batch[key] for key in NAMES}
        found: Found = self.parts["masked"](
            name, inputs, dict(self._maps()), self.owner.features, generator, self.progress
        )
        return found

    def _manipulation(self) -> Found:
        with torch.autocast(self.rgb.device.type, enabled=False):
            moved, labels = twins(self.owner.model, self.batch, seed=self.owner.seed, iteration=self.iteration)
        maps = [self.owner.features(name, moved[name]) for name in NAMES]
        found: Found = self.parts["manipulation"](self.rgb, self.depth, *maps, labels, self.groups)
        return found


def _parts(model: SaliencyModel, settings: AlignmentSettings, channels: dict[str, int], stride: int) -> nn.ModuleDict:
    """The heads that the losses need."""
    parts = nn.ModuleDict()
    if settings.itc or settings.itm:  # matching draws its hard negatives from the contrast's similarity
        parts["itc"] = ITC(channels, pool=settings.pool)  # type: ignore[arg-type]
    if settings.itc_dense:
        parts["itc_dense"] = DenseITC(channels)
    if settings.itm or settings.masked or settings.manipulation:
        parts["cross"] = cross = CrossEncoder(channels)
        if settings.itm:
            parts["itm"] = ITM(cross)
        if settings.masked:
            parts["masked"] = MaskedModelling(cross, {name: model.specs[name].channels for name in NAMES}, patch=stride)
        if settings.manipulation:
            parts["manipulation"] = Manipulation(channels, cross, shared=settings.shared)
    return parts

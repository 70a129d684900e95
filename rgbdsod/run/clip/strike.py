"""One attack on the images of some batches, through the common core."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Budget, ClassProblem, Result
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.engine import FLOAT16_SCALE, PRECISIONS
from rgbdsod.attacks.suites.worst import worst_case
from rgbdsod.clip import ZeroShot
from rgbdsod.run.clip.attacks import ZeroShotAttack, find_attack
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.types import Inputs

Advance = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Struck:
    """What an attack did to the images of a batch; those that were not attacked came back as they were.

    Args:
        images: (B,3,H,W) in [0, 1].
        attacked: which of them were attacked, bool (B,).
        predicted: the class of each, in float32, int64 (B,).
        zero_gradient: share of values whose first gradient was exactly 0, (B,); NaN where none was asked for.
        forward, backward: passes spent on each, int64 (B,) on the CPU.
        distance: of an attack that looks for the smallest change, (B,); else None.
        seconds: for each attacked image.
        threat: the budget of all.
        exact: the classes before rounding, where `predicted` is of the saved pictures; else None.
    """

    images: Tensor
    attacked: Tensor
    predicted: Tensor
    zero_gradient: Tensor
    forward: Tensor
    backward: Tensor
    distance: Tensor | None
    seconds: float
    threat: Budget
    exact: Tensor | None = None


class Watched(nn.Module):
    """A classifier whose first gradient with respect to the image is looked at, whoever asks for it.

    Args:
        classifier: takes images.
        factor: of the loss on its way through the encoder, divided out of the gradient again.
        images: whose first gradient is waited for, as it may come in several batches; None: the first batch is all.
    """

    inputs = ("image",)

    def __init__(self, classifier: ZeroShot, factor: float = 1.0, images: int | None = None) -> None:
        super().__init__()
        self.classifier, self.name, self._factor = classifier, classifier.name, factor
        self._missing = images
        self._zeros: list[Tensor] = []

    @property
    def zero(self) -> Tensor | None:
        """Share of exact zeros in the first gradient, (B,); None before there is one."""
        return torch.cat(self._zeros) if self._zeros else None

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits (B,C)."""
        image = inputs["image"]
        logits: Tensor = self.classifier(image)
        if not image.requires_grad:
            return logits
        if self._missing != 0:
            image.register_hook(self._look)  # type: ignore[no-untyped-call]
        if self._factor != 1:
            logits.register_hook(lambda gradient: gradient * self._factor)  # type: ignore[no-untyped-call]
            image.register_hook(lambda gradient: gradient / self._factor)  # type: ignore[no-untyped-call]
        return logits

    def _look(self, gradient: Tensor) -> None:
        if self._missing != 0:
            self._zeros.append((gradient == 0).flatten(1).float().mean(1))
            self._missing = 0 if self._missing is None else max(0, self._missing - len(gradient))


@dataclass(frozen=True, eq=False)
class Scene:
    """Images before an attack.

    Args:
        classifier: attacked.
        images: (B,3,H,W) in [0, 1].
        labels: their classes, int64 (B,).
        clean: what they are classified as, int64 (B,).
        ids: on which their random starts depend.
        batch: how many of them go through the encoder at once; None: all.
    """

    classifier: ZeroShot
    images: Tensor
    labels: Tensor
    clean: Tensor
    ids: Sequence[str]
    batch: int | None = None


def strike(name: str, scene: Scene, eps: float, settings: ZeroShotSettings, advance: Advance) -> Struck:
    """Attack the images that are classified rightly; as released, all of them.

    Args:
        name: of `ZERO_SHOT_ATTACKS`.
        scene: what is attacked.
        eps: Linf radius.
        settings: of the evaluation.
        advance: told (passes done, passes in all).
    """
    row = find_attack(name)
    released = row.walks and settings.as_released
    wanted = torch.ones_like(scene.clean, dtype=torch.bool) if released else scene.clean == scene.labels
    threat = budget_of(row, eps, settings, scene.images)
    struck = _untouched(scene, wanted, threat)
    rows = wanted.nonzero().flatten()
    if not len(rows) or threat.empty:
        return struck
    begin, distance = time.perf_counter(), None
    groups = (rows,) if row.gathers or scene.batch is None else torch.split(rows, scene.batch)
    for place, own in enumerate(groups):
        result, zero = _attacked(row, scene, own, threat, settings, _part_of(advance, place, len(groups)))
        _note(struck, scene, own, result)
        if zero is not None:  # images that half precision misclassifies from the start get no gradient
            asked = own[(result.backward > 0).to(own.device)]
            struck.zero_gradient[asked] = zero[: len(asked)]
        if result.distance is not None:
            distance = torch.zeros(len(scene.images), device=rows.device) if distance is None else distance
            distance[own] = result.distance.to(distance)
    if settings.dtype != "float32" and not released:
        _confirm(row, scene, struck, rows, settings)
    return replace(struck, distance=distance, seconds=(time.perf_counter() - begin) / len(rows))


def predicted(classifier: ZeroShot, images: Tensor, batch: int | None = None) -> Tensor:
    """The class of each image, int64 (B,), as many at once as a batch has."""
    return torch.cat([classifier.predict(part) for part in torch.split(images, batch or len(images))])


def budget_of(row: ZeroShotAttack, eps: float, settings: ZeroShotSettings, images: Tensor) -> Budget:
    """How far the images may move; under L2 by default as far as the corners of the Linf ball."""
    if row.norm == "linf":
        return Budget(norm="linf", eps=eps)
    corners = eps * math.sqrt(images[0].numel())
    return Budget(norm=row.norm, eps=corners if settings.eps_l2 is None else settings.eps_l2)


def perturbation_sizes(struck: Struck, clean: Tensor) -> list[float]:
    """How far each image was moved, in the norm of the budget."""
    change = (struck.images.double() - clean.double()).flatten(1)
    found: list[float] = (change.abs().amax(1) if struck.threat.norm == "linf" else change.norm(dim=1)).tolist()
    return found


def _untouched(scene: Scene, attacked: Tensor, threat: Budget) -> Struck:
    count = len(scene.images)
    return Struck(
        images=scene.images.clone(),
        attacked=attacked,
        predicted=scene.clean.clone(),
        zero_gradient=torch.full((count,), math.nan, device=scene.images.device),
        forward=torch.zeros(count, dtype=torch.int64),
        backward=torch.zeros(count, dtype=torch.int64),
        distance=None,
        seconds=0.0,
        threat=threat,
    )


def _part_of(advance: Advance, place: int, count: int) -> Advance:
    """Tells of the passes of one of several groups."""
    return lambda done, total: advance(place * total + done, count * total)


def _note(struck: Struck, scene: Scene, rows: Tensor, result: Result) -> None:
    """What an attack made of some images; passes add up."""
    struck.images[rows] = result.inputs["image"]
    struck.predicted[rows] = predicted(scene.classifier, result.inputs["image"], scene.batch)
    struck.forward[rows.cpu()] += result.forward
    struck.backward[rows.cpu()] += result.backward


def _attacked(
    row: ZeroShotAttack, scene: Scene, rows: Tensor, threat: Budget, settings: ZeroShotSettings, advance: Advance
) -> tuple[Result, Tensor | None]:
    """The core's result for some images, and the zeros of its first gradient."""
    last = row.walks and settings.verdict == "last"
    size = float(threat.eps) if settings.as_released else None
    walk = {"step_size": size, "keep": "last" if last else "best"}
    members = row.members(settings.steps, walk, scene.classifier.features.shape[0])
    watched = Watched(scene.classifier, (settings.loss_scale or FLOAT16_SCALE) / FLOAT16_SCALE, len(rows))
    problem = ClassProblem(watched, scene.labels[rows], most=scene.batch)
    inputs = {"image": scene.images[rows]}
    common: Common = {
        "seed": settings.seed,
        "sample_ids": [scene.ids[place] for place in rows.tolist()],
        "precision": settings.dtype,
        "stop": not last,
        "callback": advance,
    }
    if len(members) == 1:
        return members[0].run(problem, inputs, {"image": threat}, common), watched.zero
    return worst_case(problem, inputs, {"image": threat}, members, **common), watched.zero


def _confirm(row: ZeroShotAttack, scene: Scene, struck: Struck, rows: Tensor, settings: ZeroShotSettings) -> None:
    """Images that only half precision misclassifies stopped too soon: they are attacked again in float32."""
    with torch.autocast(rows.device.type, dtype=PRECISIONS[settings.dtype]):
        half = predicted(scene.classifier, struck.images[rows], scene.batch)
    right = scene.labels[rows]
    early = rows[(half != right) & (struck.predicted[rows] == right)]
    if not len(early):
        return
    full = replace(settings, dtype="float32", loss_scale=None)
    for own in torch.split(early, scene.batch or len(early)):
        result, _ = _attacked(row, scene, own, struck.threat, full, lambda done, total: None)
        _note(struck, scene, own, result)

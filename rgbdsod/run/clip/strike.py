"""One attack on a batch of images, through the common core."""

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

    Attributes:
        zero: share of exact zeros in the first gradient, (B,); None before there is one.
    """

    inputs = ("image",)

    def __init__(self, classifier: ZeroShot, factor: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.name, self._factor = classifier, classifier.name, factor
        self.zero: Tensor | None = None

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits (B,C)."""
        image = inputs["image"]
        logits: Tensor = self.classifier(image)
        if not image.requires_grad:
            return logits
        if self.zero is None:
            image.register_hook(self._look)  # type: ignore[no-untyped-call]
        if self._factor != 1:
            logits.register_hook(lambda gradient: gradient * self._factor)  # type: ignore[no-untyped-call]
            image.register_hook(lambda gradient: gradient / self._factor)  # type: ignore[no-untyped-call]
        return logits

    def _look(self, gradient: Tensor) -> None:
        if self.zero is None:
            self.zero = (gradient == 0).flatten(1).float().mean(1)


@dataclass(frozen=True, eq=False)
class Scene:
    """A batch of images before an attack.

    Args:
        classifier: attacked.
        images: (B,3,H,W) in [0, 1].
        labels: their classes, int64 (B,).
        clean: what they are classified as, int64 (B,).
        ids: on which their random starts depend.
    """

    classifier: ZeroShot
    images: Tensor
    labels: Tensor
    clean: Tensor
    ids: Sequence[str]


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
    begin = time.perf_counter()
    result, zero = _attacked(row, scene, rows, threat, settings, advance)
    struck.images[rows] = result.inputs["image"]
    struck.predicted[rows] = scene.classifier.predict(result.inputs["image"])
    struck.forward[rows.cpu()], struck.backward[rows.cpu()] = result.forward, result.backward
    if zero is not None:
        struck.zero_gradient[rows] = zero
    if settings.dtype != "float32" and not released:
        _confirm(row, scene, struck, rows, settings)
    distance = None
    if result.distance is not None:
        distance = torch.zeros(len(scene.images), device=rows.device)
        distance[rows] = result.distance.to(distance)
    return replace(struck, distance=distance, seconds=(time.perf_counter() - begin) / len(rows))


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


def _attacked(
    row: ZeroShotAttack, scene: Scene, rows: Tensor, threat: Budget, settings: ZeroShotSettings, advance: Advance
) -> tuple[Result, Tensor | None]:
    """The core's result for some images, and the zeros of its first gradient."""
    last = row.walks and settings.verdict == "last"
    size = float(threat.eps) if settings.as_released else None
    walk = {"step_size": size, "keep": "last" if last else "best"}
    members = row.members(settings.steps, walk, scene.classifier.features.shape[0])
    watched = Watched(scene.classifier, (settings.loss_scale or FLOAT16_SCALE) / FLOAT16_SCALE)
    problem = ClassProblem(watched, scene.labels[rows])
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
        half = scene.classifier.predict(struck.images[rows])
    right = scene.labels[rows]
    early = rows[(half != right) & (struck.predicted[rows] == right)]
    if not len(early):
        return
    full = replace(settings, dtype="float32", loss_scale=None)
    result, _ = _attacked(row, scene, early, struck.threat, full, lambda done, total: None)
    struck.images[early] = result.inputs["image"]
    struck.predicted[early] = scene.classifier.predict(result.inputs["image"])
    struck.forward[early.cpu()] += result.forward
    struck.backward[early.cpu()] += result.backward

"""Ad-YOLO: the detector learns one more class, the patch."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.learned.weights import asset_record, read_asset
from rgbdsod.defenses.patch.localiser import MaskAndFill
from rgbdsod.errors import UsageError, WeightsError

PATCH = "patch"
VICTIM = "fcos.tiny"
_MOST = 20  # boxes of an image that are painted, the likeliest ones


@dataclass(frozen=True, eq=False, kw_only=True)
class AdYolo(MaskAndFill):
    """The boxes in which the detector sees its class "patch" are masked, and the detector runs again.

    Built in for the small detector `fcos.tiny`: its trunk, and last layers that were fine-tuned on patches. The
    evidence is the largest probability of a patch among the boxes that cover a pixel. Its gradient is that of the
    probabilities; the boxes are taken as they are.

    Args:
        on: the inputs that are searched; None: the RGB image.
        threshold: of the probability.
        fill: what replaces the masked pixels.
        weights: a safetensors file with the fine-tuned layers; None: the built-in ones.
        detector: that has the class; `in_front_of` makes it.

    Raises:
        UsageError: called before the victim is known.

    Source: Ji et al., "Adversarial YOLO: Defense Human Detection Patch Attacks via Detecting Adversarial Patches",
        2021, arXiv 2103.08860.
    """

    threshold: float = 0.5
    weights: str | Path | None = None
    detector: Any = None

    name: ClassVar[str] = "adyolo"
    sharpness: ClassVar[float] = 10.0

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim.

        Raises:
            UsageError: it is not `fcos.tiny`, or has other weights than those that the layers were tuned on.
            WeightsError: the layers do not fit.
        """
        name = str(getattr(victim, "name", type(victim).__name__))
        if name != VICTIM:
            raise UsageError(
                f'{self.name} has a class "{PATCH}" for {VICTIM} alone, and the victim is {name}; leave it out'
            )
        trained_on = str(asset_record(self.name)["victim"]) if self.weights is None else ""
        if trained_on not in str(getattr(victim, "weights", "")):
            raise UsageError(
                f"{self.name} was tuned on other weights of {VICTIM} ({trained_on}); pass weights=FILE of layers that "
                "were tuned on these"
            )
        return replace(self, detector=with_patch_class(victim, read_asset(self.name, self.weights)))

    def evidence(self, image: Tensor) -> Tensor:
        """The largest probability of a patch among the boxes over each pixel."""
        if self.detector is None:
            raise UsageError(f"{self.name} is a class of {VICTIM}; call .in_front_of(detector) first")
        with frozen(*self.detector.modules):
            found = self.detector.candidates(image.expand(-1, 3, -1, -1))
        size = (image.shape[-2], image.shape[-1])
        last = len(self.detector.classes) - 1
        pairs: list[tuple[Tensor, Tensor]] = [one.of(last) for one in found]
        return torch.stack([painted(logits, boxes, size) for logits, boxes in pairs])


def painted(logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The largest probability of the boxes that cover the middle of each pixel, (1,H,W).

    Args:
        logits: (K,), of which the largest 20 count.
        boxes: (K,4), x0, y0, x1, y1 in pixels.
        size: (H, W).
    """
    best = logits.topk(min(_MOST, len(logits))).indices
    x0, y0, x1, y1 = boxes[best].detach()[..., None].unbind(1)
    y, x = (torch.arange(side, device=logits.device) + 0.5 for side in size)
    inside = ((y0 <= y) & (y < y1))[:, :, None] & ((x0 <= x) & (x < x1))[:, None]
    return (inside * logits[best].sigmoid()[:, None, None]).amax(0, keepdim=True)


def with_patch_class(detector: Any, layers: dict[str, Tensor] | None = None) -> Any:
    """A copy of a one-stage detector of torchvision with one more class, the last.

    Args:
        detector: with `network`, whose classification head ends in `cls_logits`.
        layers: parameters of the copy by name, which replace the detector's own; None: the new class begins as the
            mean of the others.

    Raises:
        WeightsError: they do not fit.
    """
    network = copy.deepcopy(detector.network)
    head = network.head.classification_head
    before = head.cls_logits
    count = len(detector.classes) + 1
    after = nn.Conv2d(before.in_channels, count, before.kernel_size, before.stride, before.padding)
    with torch.no_grad():
        for name in ("weight", "bias"):
            old = getattr(before, name)
            getattr(after, name).copy_(torch.cat([old, old.mean(0, keepdim=True)]))
    head.cls_logits, head.num_classes = after.to(before.weight.device), count
    if layers is not None:
        _fill(network, layers)
    name = f"{getattr(detector, 'name', 'detector')} with {PATCH}"
    made = type(detector)(network, (*detector.classes, PATCH), family="fcos", name=name)
    network.eval().requires_grad_(False)
    return made


def _fill(network: nn.Module, layers: dict[str, Tensor]) -> None:
    own = network.state_dict()
    if wrong := [key for key, value in layers.items() if key not in own or own[key].shape != value.shape]:
        raise WeightsError(f'the layer "{wrong[0]}" does not fit the detector; pass a file that was made for it')
    network.load_state_dict(layers, strict=False)

"""A victim run on one input, and the layers inside it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from rgbdsod.attacks.problem import frozen
from rgbdsod.errors import UsageError
from rgbdsod.types import MapModel

PROBE = 128  # the side of the image that layers are found with, where the victim names no size
_SMALLEST = 3  # outputs below this side are pooled attention, no features
_GREY = 0.5


class Victim:
    """A saliency network or a detector, run on one input at a time; other inputs are grey meanwhile.

    Args:
        model: a `MapModel`, or a detector (something with `candidates`, whose modules are known).
        name: of the defence, for messages.

    Raises:
        UsageError: it is neither, or its modules are not known.
    """

    def __init__(self, model: object, name: str) -> None:
        self._model = cast(Any, model)
        self.detects = hasattr(model, "candidates")
        self.name = str(getattr(model, "name", type(model).__name__))
        own = (model,) if isinstance(model, nn.Module) else getattr(model, "modules", ())
        if not own or not (self.detects or isinstance(model, MapModel)):
            raise UsageError(
                f"{name} looks inside a network, and {self.name} shows none; pass a model of load_model or "
                "load_detector, or leave this defence out"
            )
        self.network = nn.ModuleList(own)
        self.inputs: tuple[str, ...] = ("image",) if self.detects else tuple(self._model.inputs)

    def run(self, image: Tensor) -> None:
        """One pass for an input, (B,3,H,W) of colour or (B,1,H,W) of depth; which it is, its channels say."""
        with frozen(*self.network):
            if self.detects:
                self._model.candidates(image)
                return
            key = self.key(image)
            features = {key: self._model.encode(key, image)}
            for other in self.inputs:
                if other != key:
                    features[other] = self._model.encode(other, self._grey(other, image))
            self._model.fuse(features, (image.shape[-2], image.shape[-1]))

    def key(self, image: Tensor) -> str:
        """Which input an image is."""
        return next(name for name in self.inputs if self._channels(name) == image.shape[1])

    @torch.no_grad()
    def stages(self, key: str) -> list[str]:
        """The layers at which each size of the encoder of one input ends, fine to coarse, by module name.

        They are those that the input reaches, in the order of a pass, from the first convolution on, until a decoder
        has made maps more than twice as large as the smallest. Parallel branches end at other times, so what is larger
        by no more is passed over.
        """
        height, width = getattr(self._model, "size", None) or (PROBE, PROBE)
        image = torch.rand(1, self._channels(key), height, width, generator=torch.Generator().manual_seed(0))
        weight = next(self.network.parameters(), image)
        sizes: list[dict[str, Tensor]] = []
        for probe in (image, 1 - image):
            with recorded(self.network) as outputs:
                self.run(probe.to(weight))
            sizes.append(outputs)
        found: dict[int, str] = {}
        for name, output in sizes[0].items():
            side = min(output.shape[-2:])
            begun = found or isinstance(self.network.get_submodule(name), nn.Conv2d)
            if not begun or side < _SMALLEST or torch.equal(output, sizes[1][name]):
                continue
            smallest = min(found, default=side)
            if side > 2 * smallest:
                break
            if side <= smallest:
                found[side] = name
        return list(found.values())

    def _channels(self, key: str) -> int:
        return 1 if key == "depth" else 3

    def _grey(self, key: str, like: Tensor) -> Tensor:
        return like.new_full((len(like), self._channels(key), *like.shape[-2:]), _GREY)


@contextmanager
def recorded(network: nn.Module, names: Sequence[str] | None = None) -> Iterator[dict[str, Tensor]]:
    """The first output of each module that is a batch of maps, by name, in the order of the passes made meanwhile.

    Args:
        network: whose modules are watched.
        names: of those; None: all.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                outputs.setdefault(name, output)

        return hook

    with ExitStack() as stack:
        for name, module in network.named_modules():
            if names is None or name in names:
                stack.callback(module.register_forward_hook(keep(name)).remove)
        yield outputs

"""A torchvision detector as attacks and evaluations ask it."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.models.detectors.frames import Labels
from rgbdsod.models.detectors.one_stage import FcosLook, RetinaLook, SsdLook
from rgbdsod.models.detectors.protocol import ByLooking, Look
from rgbdsod.models.detectors.table import Family
from rgbdsod.models.detectors.two_stage import TwoStageLook

_LOOKS: dict[str, Callable[[nn.Module, Labels, Tensor], Look]] = {
    "fcos": FcosLook,
    "retinanet": RetinaLook,
    "ssd": SsdLook,
    "rcnn": TwoStageLook,
}


class TorchvisionDetector(ByLooking):
    """A detector of `torchvision.models.detection`, whose mode, weights and buffers no question changes.

    Losses come without training mode, scores and boxes carry gradients to the images; normalisation and resizing are
    inside. An image's answers do not depend on its neighbours in the batch.

    Args:
        network: what one of torchvision's builders made.
        classes: names of the classes.
        family: "fcos", "retinanet", "ssd" or "rcnn".
        numbers: the network's number of each class; None: 0, 1, ... for FCOS and RetinaNet, 1, 2, ... where 0 is the
            background.
        name: what messages call it.
        weights: where its weights are from, for records.

    Raises:
        UsageError: no such family, or not one number for each class.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        *,
        family: Family,
        numbers: Sequence[int] | None = None,
        name: str = "detector",
        weights: str = "",
    ) -> None:
        if family not in _LOOKS:
            raise UsageError(f'no family "{family}" of torchvision detectors; families are {", ".join(_LOOKS)}')
        first = 1 if family in ("ssd", "rcnn") else 0
        numbers = range(first, first + len(classes)) if numbers is None else numbers
        if len(numbers) != len(classes) or not classes:
            raise UsageError(f"{len(numbers)} class numbers for {len(classes)} classes; pass one number for each class")
        self.network, self.name, self.weights = network, name, weights
        self.classes = tuple(classes)
        self.learns_from_empty = family != "ssd"
        self._look, self._labels = _LOOKS[family], Labels(numbers)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What attacks hold still."""
        return (self.network,)

    def look(self, images: Tensor) -> Look:
        """One forward pass over images (B,3,H,W) in [0, 1]."""
        return self._look(self.network, self._labels, images)

"""What the problem of a patch is about: settings, pictures, and what the victim makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.patch.compose import Surface
from rgbdsod.attacks.patch.natural.family import Family, Free
from rgbdsod.attacks.patch.natural.nature import Nature
from rgbdsod.attacks.patch.pose import Pose, Size
from rgbdsod.attacks.patch.transforms.presets import Transforms
from rgbdsod.attacks.problem import Problem


@runtime_checkable
class Beside(Protocol):
    """A problem that can leave pixels out of account."""

    def beside(self, hidden: Tensor) -> Problem:
        """The problem without the pixels under a patch, bool (B,1,H,W)."""
        ...


class Glimpse(NamedTuple):
    """What the victim makes of one draw.

    Args:
        outputs: the victim's.
        hidden: the pixels under and around the patch, bool (B,1,H,W).
        mask: those under it.
        gate: D3Net's distance of two maps, (B,), by which it drops depth; None where nobody asked.
    """

    outputs: Any
    hidden: Tensor
    mask: Tensor
    gate: Tensor | None = None


class Seen(NamedTuple):
    """What the victim makes of all draws of a pass, and what the patch costs the printer, (B,)."""

    glimpses: list[Glimpse]
    cost: Tensor | float


@dataclass(frozen=True, eq=False)
class Setting:
    """What does not change while a patch is sought.

    Args:
        alpha: shape, (1,h,w).
        span: rows and columns of the patch's window in the image.
        surface: what the patch does to depth.
        transforms: what may happen to it.
        goal: "own": the victim's problem, away from the patch; or a name of `GOALS`.
        smooth: weight of the total variation.
        printable: weight of the distance to printable colours.
        seed: of all draws.
        share: the patch's size as a share.
        family: what the patch may show.
        gate: D3Net's depurator: "none": let it be; "close" it, so that depth is dropped; or keep it "open".
        nature: what being unlike photographs costs; None: nothing.
        learned: whether the place is sought with the patch.
    """

    alpha: Tensor
    span: Size
    surface: Surface
    transforms: Transforms
    goal: str = "own"
    smooth: float = 0.0
    printable: float = 0.0
    seed: int = 0
    share: float = 0.05
    family: Family = field(default_factory=Free)
    gate: str = "none"
    nature: Nature | None = None
    learned: bool = False


class Layer(NamedTuple):
    """One patch on each picture.

    Args:
        pose: where it hangs.
        there: whether it does, bool (B,).
    """

    pose: Pose
    there: Tensor


@dataclass(frozen=True, eq=False)
class Scene:
    """What belongs to each picture.

    Args:
        clean: the inputs that the patch changes.
        layers: where the patch hangs, one copy over the other; the first is on every picture.
        ids: of the samples.
        budgets: of the inputs in `clean`.
        objects: bool (B,1,H,W); None where the victim does not say.
        ghost: where an object is to appear, bool (B,1,H,W); None: no goal needs it.
    """

    clean: dict[str, Tensor]
    layers: tuple[Layer, ...]
    ids: Sequence[str]
    budgets: Threat
    objects: Tensor | None = None
    ghost: Tensor | None = None

    def select(self, index: Tensor) -> "Scene":
        """Some of the pictures; an index may repeat."""
        rows = index.cpu()
        return Scene(
            {name: value[index] for name, value in self.clean.items()},
            tuple(Layer(layer.pose.select(rows), layer.there[rows]) for layer in self.layers),
            [self.ids[row] for row in index.tolist()],
            {name: budget.select(index) for name, budget in self.budgets.items()},
            None if self.objects is None else self.objects[index],
            None if self.ghost is None else self.ghost[index],
        )

"""How a patch hangs: turned, tilted, shifted, nearer or farther."""

from dataclasses import dataclass
from math import radians

from torch import Tensor

from rgbdsod.attacks.patch.pose import Pose, Size, limited
from rgbdsod.attacks.patch.transforms.draw import Draw


@dataclass(frozen=True)
class Motion:
    """Ranges of a motion; each number is drawn evenly.

    Args:
        rotation: degrees either way.
        scale: seen so many times as large, from the first number to the second.
        shift: at most such a share of the patch's own sides.
        tilt: degrees of yaw and pitch either way.
    """

    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    tilt: float = 0.0

    def moved(self, pose: Pose, canvas: Size, draw: Draw) -> tuple[Pose, Tensor]:
        """Other poses, and how much larger each card is seen, (B,): a card that grows came nearer.

        Args:
            pose: where the patches hang.
            canvas: (h, w) of the patch.
            draw: random numbers.
        """
        turn = draw.uniform(-radians(self.rotation), radians(self.rotation)).to(pose.roll)
        grow = draw.uniform(*self.scale).to(pose.roll)
        shift = draw.uniform(-self.shift, self.shift, 2).to(pose.centre)
        lean = draw.uniform(-radians(self.tilt), radians(self.tilt), 2).to(pose.tilt).tan()
        sides = pose.zoom * pose.zoom.new_tensor([canvas[1], canvas[0]])
        zoom = pose.zoom * grow[:, None]
        return Pose(pose.centre + shift * sides, zoom, pose.roll + turn, limited(pose.tilt + lean)), grow

"""Every goal of a patch before a detector whose answer is known: a cell of 16 x 16 pixels shows its mean colour."""

import numpy as np
import pytest
from detector_cases import Dots

from rgbdsod.datasets import BoxedImage, BoxedSet
from rgbdsod.models import DecodedDetector
from rgbdsod.run import evaluate_patches

SIZE = str(12 * 12 / 64**2)
"""Hides 56 % of a cell: the object still counts, and what the patch shows outweighs it."""
ON = {"where": "fixed", "at": "0.375,0.375"}
BESIDE = {"where": "fixed", "at": "0.875,0.875"}


class Cells(BoxedSet):
    """Black images with one red cell."""

    def __init__(self) -> None:
        super().__init__("cells", [1, 2], Dots.classes)

    def read(self, position: int) -> BoxedImage:
        image = np.zeros((64, 64, 3), np.uint8)
        image[16:32, 16:32, 0] = 255
        box = np.array([[16, 16, 32, 32]], np.float32)
        return BoxedImage(position + 1, f"{position}.png", image, box, np.zeros(1, np.int64), np.zeros(1, bool))


@pytest.mark.parametrize(
    ("goal", "settings", "success"),
    [
        ("vanish", ON, 1),
        ("vanish-post", ON, 1),
        ("vanish-empty", ON, 1),
        ("untargeted", ON, 1),
        ("misclass", {"label": "green", **ON}, 1),
        ("appear", {"label": "blue", **BESIDE}, 1),
        ("flood", BESIDE, 3),  # a white cell is red, green and blue at once
    ],
)
def test_every_goal_is_reached_and_no_card_reaches_it(goal: str, settings: dict[str, str], success: float) -> None:
    network = Dots()
    detector = DecodedDetector(network, network.classes, network.cells, name="dots")
    result = evaluate_patches(detector, Cells(), goal=goal, size=SIZE, steps=100, aware=False, **settings)
    row = result.rows[0]
    assert (row["clean"]["ap50"], row["clean"]["success"], row["grey"]["success"]) == (1, 0, 0)
    assert row["unaware"]["success"] == success
    assert row["unaware"]["ap50"] == row["unaware"]["ap50_self"]  # what it finds on the clean images is the truth
    assert row["unaware"]["invented"] == {"misclass": 1, "appear": 1, "flood": 3}.get(goal, row["unaware"]["invented"])

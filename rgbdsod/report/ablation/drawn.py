"""A finished figure of an ablation."""

from dataclasses import dataclass

MODALITIES = ("rgb", "depth", "both")
LEVELS = 255


@dataclass(frozen=True)
class Drawn:
    """A finished figure.

    Args:
        name: of its file, without suffix: "robustness-pgd-plain".
        group: the title that it shares with others: "Robustness under PGD".
        svg: inline, in the page's colours.
        caption: what it is, in which units, over how many images and seeds.
    """

    name: str
    group: str
    svg: str
    caption: str

"""The worst that was found for each image, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from rgbdsod.run.defense.verdict import Verdict
from rgbdsod.types import Inputs


@dataclass(eq=False)
class Standing:
    """The worst so far of each image of a batch.

    Args:
        names: of the attacks; "": one that gives way to any other.
        inputs: the images, (B,C,H,W) by input.
        verdicts: on them.
    """

    names: list[str]
    inputs: dict[str, Tensor]
    verdicts: list[Verdict]

    @classmethod
    def of(cls, name: str, inputs: Inputs, verdicts: Sequence[Verdict]) -> Self:
        """All images under one attack."""
        return cls([name] * len(verdicts), {key: value.clone() for key, value in inputs.items()}, list(verdicts))

    def offer(self, name: str, rows: Sequence[int], inputs: Inputs, verdicts: Sequence[Verdict]) -> None:
        """Keep what is worse.

        Args:
            name: of the attack.
            rows: of the images that it attacked.
            inputs: all images.
            verdicts: on those of the rows, in their order.
        """
        for row, verdict in zip(rows, verdicts, strict=True):
            if self.names[row] and self.verdicts[row].rank <= verdict.rank:
                continue
            self.names[row], self.verdicts[row] = name, verdict
            for key, value in self.inputs.items():
                value[row] = inputs[key][row]

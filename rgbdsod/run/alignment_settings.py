"""Which alignment losses a training adds, and how much each counts."""

from dataclasses import dataclass

from rgbdsod.errors import UsageError

LOSSES = ("itc", "itc_dense", "itm", "masked", "manipulation")


@dataclass(frozen=True)
class AlignmentSettings:
    """Weights and knobs of the alignment losses; each weight is added times its loss to that of saliency.

    Args:
        itc: weight of the contrast between the RGB and depth of a batch; 0 leaves a loss out.
        itc_dense: weight of the same between places.
        itm: weight of matching, with hard negatives.
        masked: weight of guided masked modelling.
        manipulation: weight of finding the attacked input.
        pool: how the contrast pools a feature map: "gap", "mask" (over the object) or "attn".
        queue: earlier images that the contrast compares with too, 0: none. Needs a momentum copy of both encoders.
        momentum: share of that copy which stays in each step.
        distill: share of the copy's own similarities in the contrast's targets; grows from 0 over the first tenth.
        shared: the loss of `manipulation` also trains the encoders.

    Raises:
        UsageError: for values out of range.
    """

    itc: float = 0.0
    itc_dense: float = 0.0
    itm: float = 0.0
    masked: float = 0.0
    manipulation: float = 0.0
    pool: str = "gap"
    queue: int = 0
    momentum: float = 0.995
    distill: float = 0.4
    shared: bool = False

    def __post_init__(self) -> None:
        for name in LOSSES:
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{_flag(name)} {getattr(self, name):g}: a weight of 0 or more, such as 0.1")
        for name in ("momentum", "distill"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{_flag(name)} {getattr(self, name):g}: from 0 to below 1")
        if self.pool not in ("gap", "mask", "attn"):
            raise UsageError(f"--itc-pool {self.pool}: expected gap, mask or attn")
        if self.queue < 0:
            raise UsageError(f"--queue {self.queue}: images to remember, 0 or more")
        if self.queue and not self.itc:
            raise UsageError("--queue has no effect without --itc WEIGHT")

    @property
    def weights(self) -> dict[str, float]:
        """The losses that are on."""
        return {name: getattr(self, name) for name in LOSSES if getattr(self, name) > 0}

    def check(self, images: int, batch: int) -> list[str]:
        """Check against a training set.

        Args:
            images: how many it has; batch: in a step.

        Returns:
            What a user should know, one sentence each.

        Raises:
            UsageError: the queue would hold every image.
        """
        if self.queue >= images:
            raise UsageError(
                f"--queue {self.queue} is not smaller than the training set ({images} images), so it would compare "
                f"images with themselves; pass --queue {max(images // 2, 1)} or less"
            )
        if self.itc and batch == 1 and not self.queue:
            return [
                "a batch of 1 has nothing to compare, so the loss of --itc is 0; pass --batch 2 or more, or --queue"
            ]
        return []


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")

"""What a run on defences is asked to do: the patch, the defences, who knows of whom. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, get_args

from rgbdsod.attacks.patch.placement import SEEKING
from rgbdsod.defenses.patch.table import PATCH_DEFENSES
from rgbdsod.errors import UsageError

Thresholds = Literal["calibrated", "paper", "both"]

REFERENCES = ("none", "oracle", "random-mask")
"""Rows without which no table of defences can be read."""

MODALITY_ORACLE = "oracle-modality"
"""The oracle that fills the attacked inputs alone."""

PENALTIES = (0.1, 1.0, 10.0)
"""Weights of what an aware attack wants of the defence."""

SEARCHES = ("gradient", "spsa")

USUAL = ("median", "tv", "lgs", "jedi")


def usual_size(where: str) -> str:
    """What a patch covers where nobody says it: a share of the image, or as a side a share of a box's longer one."""
    return "20%" if where == "apde" else "5%"


@dataclass(frozen=True, kw_only=True)
class PatchChoice:
    """The patch that is made for each image.

    Args:
        modality: "rgb", "depth" or "both"; a detector's is "image".
        size: share of the image that it covers, "5%" or "0.05".
        shape, where, at, depth_mode, depth_kind, transforms, draws: see `rgbdsod.attacks.adversarial_patch`.
        steps: of a restart.
        restarts: from different starts.
    """

    modality: str = "rgb"
    size: str = "5%"
    shape: str = "square"
    where: str = "off-object"
    at: str = "0.5,0.5"
    depth_mode: str = "plane"
    depth_kind: str = "unknown"
    transforms: str = "none"
    draws: int = 4
    steps: int = 50
    restarts: int = 1

    def parameters(self) -> dict[str, Any]:
        """The parameters of the attack."""
        own = dict(vars(self))
        del own["modality"]
        own["patch_size"] = own.pop("size")
        return own

    def record(self) -> dict[str, Any]:
        """All of it that matters, in TOML's types."""
        own = dict(vars(self))
        if self.where != "fixed":
            own.pop("at")
        if self.transforms == "none":
            own.pop("draws")
        if self.modality == "image":
            own.pop("modality")
        if self.modality in ("rgb", "image"):
            own.pop("depth_mode")
            own.pop("depth_kind")
        return own


@dataclass(frozen=True, kw_only=True)
class GuardChoice:
    """The defences, and how they are attacked.

    Args:
        defenses: names of `PATCH_DEFENSES`; the references are added.
        thresholds: of localisers: set by clean images, the papers', or a row for each.
        share: of clean pixels that a calibrated localiser may mask.
        aware: whether each defence is also attacked by who knows it.
        penalties: weights of the defence's own score against the victim's gradient, one attack for each.
        search: "gradient", or "spsa" for a search by scores alone besides.
        queries: of that search for one gradient, an even number.
        checks: whether the attacks themselves are tested, on a few images.
        expectation: draws of a random defence of which one gradient is the mean.
        seed: of all draws.
        patch: what is laid on the images.
    """

    defenses: tuple[str, ...] = USUAL
    thresholds: str = "calibrated"
    share: float = 0.01
    aware: bool = True
    penalties: tuple[float, ...] = PENALTIES
    search: str = "gradient"
    queries: int = 32
    checks: bool = True
    expectation: int = 20
    seed: int = 0
    patch: PatchChoice = field(default_factory=PatchChoice)

    def checked(self) -> Self:
        """The same settings, references first and nothing twice.

        Raises:
            UsageError: a name or a number that cannot be.
        """
        names = list(dict.fromkeys([*REFERENCES, *self.defenses]))
        for name in names:
            if name != MODALITY_ORACLE:
                PATCH_DEFENSES[name]  # raises with a hint
        if self.thresholds not in get_args(Thresholds):
            raise UsageError(f"--thresholds {self.thresholds}: expected one of {', '.join(get_args(Thresholds))}")
        if not 0 < self.share < 1:
            raise UsageError(f"--share {self.share:g}: pass a share of the clean pixels between 0 and 1, such as 0.01")
        if self.aware and not self.penalties:
            raise UsageError("--penalty is empty; pass weights such as 0.1,1,10, or --no-aware")
        if any(weight < 0 for weight in self.penalties):
            raise UsageError(f"--penalty {min(self.penalties):g}: weights of a defence's score are 0 or more")
        if self.search not in SEARCHES:
            raise UsageError(f"--search {self.search}: expected one of {', '.join(SEARCHES)}")
        if self.search == "spsa" and self.patch.where in SEEKING:
            raise UsageError(
                f"--where {self.patch.where} looks at gradients, which --search spsa does without; use random or fixed"
            )
        if self.queries < 2 or self.queries % 2:
            raise UsageError(f"--queries {self.queries} makes no pairs; pass an even number, 2 or more")
        if self.expectation < 1:
            raise UsageError(f"--expectation {self.expectation} is the mean of nothing; pass 1 or more")
        return replace(self, defenses=tuple(names))

    @property
    def needs_clean(self) -> bool:
        """Whether clean images set a threshold."""
        rows = [PATCH_DEFENSES[name] for name in self.defenses if name != MODALITY_ORACLE]
        calibrated = self.thresholds != "paper" and any(row.kind in ("localiser", "switch") for row in rows)
        return calibrated or any("clean images" in row.needs for row in rows)

    def record(self) -> dict[str, Any]:
        """All that numbers depend on, in TOML's types, under the names of the flags."""
        own: dict[str, Any] = {"defense": ",".join(self.defenses), "thresholds": self.thresholds, "aware": self.aware}
        if self.thresholds != "paper":
            own["share"] = self.share
        if self.aware:
            own |= {"penalty": ",".join(f"{weight:g}" for weight in self.penalties), "expectation": self.expectation}
            own |= {"search": self.search, "checks": self.checks}
            own |= {"queries": self.queries} if self.search == "spsa" else {}
        return {**own, "seed": self.seed, **self.patch.record()}


def names_of(defenses: str | Sequence[str]) -> tuple[str, ...]:
    """Names separated by commas, or a sequence of them."""
    parts = defenses.split(",") if isinstance(defenses, str) else defenses
    return tuple(part.strip() for part in parts if part.strip())

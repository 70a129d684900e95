"""The defences of a run, ready for its images: made, calibrated, and for the references told where the patches are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from rgbdsod.defenses import PATCH_DEFENSES, Defence, Purifier, patch_defense
from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.localiser import Localiser
from rgbdsod.defenses.patch.reference import Oracle, RandomMask
from rgbdsod.defenses.patch.switches.pair_head import PairHead
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.errors import UsageError
from rgbdsod.run.patch_defense.choice import MODALITY_ORACLE, REFERENCES, GuardChoice
from rgbdsod.run.patch_defense.judge import judge_of
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False)
class Entry:
    """One row of a table of defences.

    Args:
        name: what a user types.
        thresholds: "calibrated", "paper", or "" where there are none.
        purifier: the defence.
    """

    name: str
    thresholds: str
    purifier: Purifier

    @property
    def label(self) -> str:
        """The row's name, different for each row."""
        return f"{self.name} ({self.thresholds})" if self.thresholds == "paper" else self.name

    @property
    def localises(self) -> bool:
        """Whether it says where the patch is."""
        return isinstance(self.purifier, (Localiser, CrossDefence)) or self.told

    @property
    def told(self) -> bool:
        """Whether it has to be told where the patches are."""
        return isinstance(self.purifier, Oracle)

    @property
    def penalised(self) -> bool:
        """Whether its score is something that an attack can keep low."""
        return (self.localises or getattr(self.purifier, "thresholded", False)) and not self.told

    @property
    def attackable(self) -> bool:
        """Whether an attack can know more of it: the references do nothing, or are told where the patch is."""
        return self.name not in (*REFERENCES, MODALITY_ORACLE)

    def ready(self, mask: Tensor, ids: Sequence[str], *, patched: bool = True) -> Purifier:
        """The defence for a batch.

        Args:
            mask: where the patches are, (B,1,H,W).
            ids: of the samples.
            patched: whether these images carry the patches; without them there is nothing for an oracle to fill, and
                a random mask hides as much as ever.
        """
        purifier = self.purifier
        if not isinstance(purifier, Oracle):
            return purifier
        if not patched and not isinstance(purifier, RandomMask):
            return patch_defense("none")
        return purifier.given(mask, ids)


def chosen_rows(purifier: Purifier, index: Tensor) -> Purifier:
    """A defence for some samples of its batch."""
    if isinstance(purifier, Oracle) and purifier.mask is not None:
        return replace(purifier, mask=purifier.mask[index.to(purifier.mask.device)])
    return purifier


def line_up(
    choice: GuardChoice, clean: Inputs | None, model: object = None, extra: Sequence[Purifier] = ()
) -> list[Entry]:
    """The rows of a table.

    Args:
        choice: which defences; checked.
        clean: images that set thresholds; None: the papers' thresholds alone.
        model: the victim, for defences that ask it: a saliency network, a detector, or None.
        extra: defences that are ready.

    Raises:
        UsageError: a defence cannot work on this victim, or needs clean images.
    """
    rows: list[Entry] = []
    for name in choice.defenses:
        rows += _rows(name, choice, clean, model)
    return rows + [Entry(one.name, "", one) for one in extra]


def _rows(name: str, choice: GuardChoice, clean: Inputs | None, model: object) -> list[Entry]:
    made = _made(name, choice, model)
    published = made.published and not isinstance(made, CrossDefence)  # whose maps mean nothing before clean images
    if published and not made.thresholded:
        return [Entry(name, "", made)]
    rows = []
    if choice.thresholds != "paper" or not published:
        rows.append(Entry(name, "calibrated", _calibrated(made, _needed(clean, name), choice.share)))
    if choice.thresholds != "calibrated" and published:
        rows.append(Entry(name, "paper", made))
    return rows


def _calibrated(made: Defence, clean: Inputs, share: float) -> Defence:
    """The defence with its threshold set by clean images."""
    if isinstance(made, (Localiser, CrossDefence, Switch)):
        return made.calibrate(clean, share)
    return made.calibrate(clean)


def _made(name: str, choice: GuardChoice, model: object) -> Defence:
    changed = ("rgb", "depth") if choice.patch.modality == "both" else (choice.patch.modality,)
    if name == MODALITY_ORACLE:
        return patch_defense("oracle", on=changed)
    kind = PATCH_DEFENSES[name].load()
    if issubclass(kind, CrossDefence):
        if choice.patch.modality == "image":
            raise UsageError(f"{name} compares RGB with depth, and a detector has one image; leave it out")
        return patch_defense(name, model=model)
    if name == "random-mask":
        return patch_defense(name, seed=choice.seed)
    if issubclass(kind, PairHead):
        return patch_defense(name, judge=judge_of(model))
    if issubclass(kind, Localiser) and "depth" in changed:
        return patch_defense(name, on=("rgb", "depth")).in_front_of(model)  # it does not know which was attacked
    return patch_defense(name).in_front_of(model)


def _needed(clean: Inputs | None, name: str) -> Inputs:
    if clean is None:
        raise UsageError(
            f"{name} needs clean images to set its threshold; pass --calibration DATA or --thresholds paper"
        )
    return clean

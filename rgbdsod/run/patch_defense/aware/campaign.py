"""All attacks on a batch behind one defence, and for each image the worst."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from rgbdsod.attacks import Budget, Patch, PatchResult, Problem, adversarial_patch
from rgbdsod.run.patch_defense.aware.table import plan
from rgbdsod.run.patch_defense.aware.variant import Attack
from rgbdsod.run.patch_defense.behind import Behind, behind
from rgbdsod.run.patch_defense.choice import GuardChoice
from rgbdsod.run.patch_defense.lineup import Entry
from rgbdsod.run.patch_defense.subject import Looked, Subject

_GRIDS = {"depth": 65535}
"""Highest code of the files that hold an input; 255 for colours."""


class Hit(NamedTuple):
    """What one attack did to one image.

    Args:
        name: of the attack.
        look: what the defended victim makes of the image.
        result: the patches, of which `row` is this image's.
        row: in the result.
        mask: where the defence saw a patch, bool (1,H,W).
        cold: whether the attack knew the defence from its start on.
    """

    name: str
    look: Looked
    result: PatchResult
    row: int
    mask: Tensor
    cold: bool = False

    @property
    def covered(self) -> Tensor:
        """The patch's pixels, bool (1,H,W)."""
        return self.result.mask[self.row]

    @property
    def patch(self) -> Patch | None:
        """The patch; None: there was no place."""
        return self.result.patches[self.row]


@dataclass(eq=False)
class Campaign:
    """The attacks on a batch behind one defence.

    An image that cannot stand any worse is not attacked again.

    Args:
        subject: images and victim.
        entry: the defence.
        choice: what is laid on the images.
        unaware: what the patches did that do not know the defence.

    Attributes:
        hits: of each image, the unaware one first.
        passes: forward and backward passes spent on each image, (B,).
    """

    subject: Subject
    entry: Entry
    choice: GuardChoice
    unaware: Sequence[Hit]
    hits: list[list[Hit]] = field(init=False)
    passes: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.hits = [[hit] for hit in self.unaware]
        self.passes = torch.zeros(len(self.unaware), dtype=torch.int64)

    @property
    def attacks(self) -> list[Attack]:
        """The defence's plan."""
        variants = plan(self.entry, self.choice.patch.modality, scores=self.choice.search == "spsa")
        return [attack for variant in variants for attack in variant.attacks(self.choice.penalties)]

    def run(self) -> None:
        """Every attack of the defence's plan."""
        for attack in self.attacks:
            self.attack(attack)

    def attack(self, attack: Attack) -> None:
        """One attack on the images that still stand."""
        rows = [row for row, own in enumerate(self.hits) if self._stands(own)]
        if not rows:
            return
        result = self.patches(attack, rows)
        looks, mask = self.looked(rows, result)
        cold = attack.variant.start == "cold"
        for at, row in enumerate(rows):
            self.hits[row].append(Hit(attack.name, looks[row], result, at, mask[row], cold))
        self.passes[rows] += (result.forward + result.backward).cpu()

    def worst(self) -> list[Hit]:
        """For each image what harmed it most."""
        return [min(own, key=lambda hit: hit.look.held) for own in self.hits]

    def alone(self) -> list[Hit]:
        """The same of the attacks that knew the defence from their start on; where none was needed, the unaware one."""
        return [min([hit for hit in own if hit.cold] or own[:1], key=lambda hit: hit.look.held) for own in self.hits]

    def _stands(self, hits: Sequence[Hit]) -> bool:
        return hits[0].patch is not None and min(hit.look.held for hit in hits) > self.subject.floor

    def patches(self, attack: Attack, rows: Sequence[int]) -> PatchResult:
        """Patches of one attack on some images."""
        entry, variant = self.entry, attack.variant
        problem = Behind(self.subject.problem, entry.purifier, aim=attack.aim, objects=self.subject.objects)
        settings: dict[str, Any] = {**self.choice.patch.parameters(), **variant.settings}
        settings["steps"] *= variant.repeat
        if variant.start != "cold":
            begun = self.unaware if variant.start == "unaware" else self.worst()
            settings |= {"start": [begun[row].patch for row in rows], "restarts": 1}
        elif settings.get("start") == "grey":
            settings["restarts"] = 1
        if settings.get("search") == "spsa":
            settings["queries"] = self.choice.queries
        return make_patches(self.subject, problem, settings, self.choice, rows, random=entry.purifier.random)

    def looked(self, rows: Sequence[int], result: PatchResult) -> tuple[list[Looked], Tensor]:
        """What patches on some images do behind the true defence, with the defence's masks; others stay clean."""
        inputs, covered = dict(self.subject.inputs), self.unaware[0].result.mask.clone()
        index = torch.tensor(rows, device=covered.device)
        inputs = {name: value.index_copy(0, index, result.inputs[name].to(value)) for name, value in inputs.items()}
        covered[index] = result.mask
        return behind(self.entry.ready(covered, self.subject.ids), inputs, self.subject, covered)


def make_patches(
    subject: Subject, problem: Behind, settings: dict[str, Any], choice: GuardChoice, rows: Sequence[int], *,
    random: bool = False,
) -> PatchResult:  # fmt: skip
    """Patches against a problem, on some images of a batch.

    Args:
        subject: the images.
        problem: what is attacked, of all of them.
        settings: of `adversarial_patch`.
        choice: which inputs carry the patch, and the draws' seed.
        rows: of the images.
        random: whether gradients are means over draws of the defence.
    """
    modality = choice.patch.modality
    names = ("rgb", "depth") if modality == "both" else (modality,)
    threat = {name: Budget(eps=1.0, levels=_GRIDS.get(name, 255)) for name in names}
    every = len(rows) == len(subject.ids)
    index = torch.tensor(rows, device=next(iter(subject.inputs.values())).device)
    own = problem if every else problem.select(index)
    inputs = subject.inputs if every else {name: value[index] for name, value in subject.inputs.items()}
    return adversarial_patch(
        cast(Problem, own), inputs, threat, **settings, seed=choice.seed,
        sample_ids=[subject.ids[row] for row in rows], eot=choice.expectation if random else 1,
    )  # fmt: skip

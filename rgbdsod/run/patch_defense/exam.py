"""Patches on a batch against every defence: nobody knows the defence, then somebody does."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, cast

from torch import Tensor

from rgbdsod.attacks import Budget, PatchResult, Problem, adversarial_patch
from rgbdsod.defenses import patch_defense
from rgbdsod.run.patch_defense.behind import Behind, purified
from rgbdsod.run.patch_defense.choice import GuardChoice
from rgbdsod.run.patch_defense.controls import Donor, control_inputs
from rgbdsod.run.patch_defense.lineup import Entry
from rgbdsod.run.patched import write_patch_files
from rgbdsod.run.store import Store
from rgbdsod.types import Inputs

Row = dict[str, Any]

_GRIDS = {"depth": 65535}
"""Highest code of the files that hold an input; 255 for colours."""


class Looked(NamedTuple):
    """What a victim makes of one image.

    Args:
        values: measures by name.
        held: how well it stands, higher is better; the worst of several attacks is the one with the lowest.
        kept: what the whole set's measures need besides, such as detections.
    """

    values: dict[str, float | None]
    held: float
    kept: Any = None


class Subject(Protocol):
    """Images of one batch, and the victim that looks at them."""

    @property
    def ids(self) -> Sequence[str]:
        """One for each image."""
        ...

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The clean images by input."""
        ...

    @property
    def problem(self) -> Problem:
        """What the attack wants of the undefended victim."""
        ...

    @property
    def objects(self) -> Tensor:
        """Where objects are, bool (B,1,H,W)."""
        ...

    def look(self, inputs: Inputs, hidden: Tensor) -> list[Looked]:
        """What the victim makes of images; `hidden`, bool (B,1,H,W), are the patches, which measures leave out."""
        ...


@dataclass(frozen=True, eq=False)
class Examined:
    """What a batch gave.

    Args:
        rows: one for each image and defence.
        kept: what each look kept, one for each image, by (defence, view).
        result: the patches against the undefended victim.
        aware: for each image the result with the worst patch, by defence; where it is `result`, the unaware one.
    """

    rows: list[Row]
    kept: dict[tuple[str, str], list[Any]]
    result: PatchResult
    aware: dict[str, list[PatchResult]]

    def write(self, store: Store) -> None:
        """The patches of each image: `patches/ID`, and those that know a defence in `patches/ID/DEFENCE`."""
        ids = list(dict.fromkeys(row["id"] for row in self.rows))
        for row, sample in enumerate(ids):
            write_patch_files(store, sample, self.result, row)
            for label, results in self.aware.items():
                if results[row] is not self.result:
                    write_patch_files(store, f"{sample}/{folder_of(label)}", results[row], row)


@dataclass(frozen=True, eq=False)
class Exam:
    """One batch.

    Args:
        subject: images and victim.
        entries: the defences.
        choice: what is laid on the images.
        donor: of natural crops.
        advance: takes how many images are done, in fractions.
    """

    subject: Subject
    entries: Sequence[Entry]
    choice: GuardChoice
    donor: Donor
    advance: Callable[[float], None] = field(default=lambda done: None)

    def take(self) -> Examined:
        """Attack, defend, measure."""
        subject, share = self.subject, len(self.subject.ids) / (len(self.entries) + 1)
        base = self._patches(Behind(subject.problem, patch_defense("none"), objects=subject.objects))
        self.advance(share)
        controls = self._controls(base)
        rows: list[Row] = []
        kept: dict[tuple[str, str], list[Any]] = {}
        undefended: list[Looked] = []
        aware: dict[str, list[PatchResult]] = {}
        for turn, entry in enumerate(self.entries):
            looks, columns, aware[entry.label] = self._views(entry, base, controls)
            undefended = undefended or looks["unaware"]
            kept |= {(entry.label, view): [one.kept for one in found] for view, found in looks.items()}
            rows += self._rows(entry, base, looks, columns, undefended)
            self.advance(share * (turn + 2))
        return Examined(rows, kept, base, aware)

    def _views(
        self, entry: Entry, base: PatchResult, controls: dict[str, dict[str, Tensor]]
    ) -> tuple[dict[str, list[Looked]], list[Row], list[PatchResult]]:
        """What the defended victim makes of everything, columns about the defence itself, and the worst patches."""
        subject, ids = self.subject, self.subject.ids
        idle, guard = entry.ready(base.mask, ids, patched=False), entry.ready(base.mask, ids)
        clean, flagged = purified(idle, subject.inputs)
        looks = {"clean": subject.look(clean, base.mask)}
        for name, inputs in controls.items():
            looks[name] = subject.look(purified(guard, inputs)[0], base.mask)
        begin = time.perf_counter()
        seen, mask = purified(guard, base.inputs)
        seconds = (time.perf_counter() - begin) / len(ids)
        looks["unaware"] = subject.look(seen, base.mask)
        columns = [
            {"clean_masked": _share(flagged[row]), **_overlap(mask[row], base.mask[row]),
             "object_masked": _inside(mask[row], subject.objects[row] & ~base.mask[row]), "seconds": seconds}
            for row in range(len(ids))
        ]  # fmt: skip
        columns = columns if entry.localises else [_blind(one) for one in columns]
        return looks, columns, self._know(entry, base, looks, columns)

    def _know(
        self, entry: Entry, base: PatchResult, looks: dict[str, list[Looked]], columns: list[Row]
    ) -> list[PatchResult]:
        """Attacks that know the defence; the worst for each image becomes the view "aware", and is returned."""
        subject, ids = self.subject, self.subject.ids
        if not self.choice.aware:
            return [base] * len(ids)
        names, found, results = ["unaware"], [looks["unaware"]], [base]
        masks = [_mask_columns(columns)]
        for weight in self._weights(entry):
            problem = Behind(subject.problem, entry.purifier, penalty=weight, objects=subject.objects)
            result = self._patches(problem, random=entry.purifier.random)
            seen, mask = purified(entry.ready(result.mask, ids), result.inputs)
            names.append(f"penalty {weight:g}")
            results.append(result)
            found.append(subject.look(seen, result.mask))
            own = [_overlap(mask[row], result.mask[row]) for row in range(len(ids))]
            masks.append(own if entry.localises else [_blind(one) for one in own])
        worst = [min(range(len(found)), key=lambda at: found[at][row].held) for row in range(len(ids))]
        alone = [min(range(1, len(found)), key=lambda at: found[at][row].held, default=0) for row in range(len(ids))]
        looks["aware"] = [found[at][row] for row, at in enumerate(worst)]
        looks["alone"] = [found[at][row] for row, at in enumerate(alone)]
        for row, column in enumerate(columns):
            column["aware_attack"] = names[worst[row]]
            column |= {f"aware_{key}": value for key, value in masks[worst[row]][row].items()}
        return [results[at] for at in worst]

    def _weights(self, entry: Entry) -> tuple[float, ...]:
        if not entry.attackable:
            return ()
        return self.choice.penalties if entry.penalised else (0.0,)

    def _patches(self, problem: Behind, *, random: bool = False) -> PatchResult:
        modality = self.choice.patch.modality
        names = ("rgb", "depth") if modality == "both" else (modality,)
        threat = {name: Budget(eps=1.0, levels=_GRIDS.get(name, 255)) for name in names}
        return adversarial_patch(
            cast(Problem, problem), self.subject.inputs, threat, **self.choice.patch.parameters(),
            seed=self.choice.seed, sample_ids=list(self.subject.ids), eot=self.choice.expectation if random else 1,
        )  # fmt: skip

    def _controls(self, base: PatchResult) -> dict[str, dict[str, Tensor]]:
        """The images under each control."""
        return control_inputs(
            self.subject.inputs, base, self.subject.ids, self.choice.patch, seed=self.choice.seed, donor=self.donor
        )

    def _rows(
        self, entry: Entry, base: PatchResult, looks: dict[str, list[Looked]], columns: list[Row],
        undefended: list[Looked],
    ) -> list[Row]:  # fmt: skip
        """One for each image."""
        views = {"none": undefended, **looks}
        rows = []
        for row, sample in enumerate(self.subject.ids):
            head = {"id": sample, "defense": entry.name, "thresholds": entry.thresholds, "row": entry.label,
                    "placed": bool(base.placed[row]), "covered": _share(base.mask[row])}  # fmt: skip
            held = {f"{view}_held": found[row].held for view, found in views.items()}
            values = {
                f"{view}_{key}": value for view, found in views.items() for key, value in found[row].values.items()
            }
            rows.append({**head, **columns[row], **held, **values})
        return rows


def folder_of(label: str) -> str:
    """A row's name as a folder."""
    return label.replace(" (", "-").replace(")", "")


def _mask_columns(columns: Sequence[Row]) -> list[Row]:
    """Of columns those about a mask."""
    return [{key: one[key] for key in ("mask_both", "mask_either")} for one in columns]


def _overlap(found: Tensor, truth: Tensor) -> Row:
    """Pixels of one image in both masks and in either."""
    both, either = int((found & truth).sum()), int((found | truth).sum())
    return {"mask_both": both, "mask_either": either}


def _blind(columns: Row) -> Row:
    """The columns of a defence that looks for no patch."""
    return {key: value if key == "seconds" else None for key, value in columns.items()}


def _share(mask: Tensor) -> float:
    return float(mask.float().mean())


def _inside(mask: Tensor, where: Tensor) -> float | None:
    """The share of some pixels that a mask covers; None where there are none."""
    total = int(where.sum())
    return int((mask & where).sum()) / total if total else None

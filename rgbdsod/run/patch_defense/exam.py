"""Patches on a batch against every defence: nobody knows the defence, then somebody does."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from rgbdsod.attacks import PatchResult
from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.purifier import installed
from rgbdsod.run.patch_defense.aware.campaign import Campaign, Hit, make_patches
from rgbdsod.run.patch_defense.aware.checks import check
from rgbdsod.run.patch_defense.behind import Behind, behind
from rgbdsod.run.patch_defense.choice import GuardChoice
from rgbdsod.run.patch_defense.controls import Donor, control_inputs
from rgbdsod.run.patch_defense.lineup import Entry
from rgbdsod.run.patch_defense.subject import Looked, Subject
from rgbdsod.run.patched import write_patch_files
from rgbdsod.run.store import Store

Row = dict[str, Any]

_CHECKED = 3


@dataclass(frozen=True, eq=False)
class Examined:
    """What a batch gave.

    Args:
        rows: one for each image and defence.
        kept: what each look kept, one for each image, by (defence, view).
        result: the patches against the undefended victim.
        aware: for each image the worst patch, by defence.
    """

    rows: list[Row]
    kept: dict[tuple[str, str], list[Any]]
    result: PatchResult
    aware: dict[str, list[Hit]]

    def write(self, store: Store) -> None:
        """The patches of each image: `patches/ID`, and those that know a defence in `patches/ID/DEFENCE`."""
        ids = list(dict.fromkeys(row["id"] for row in self.rows))
        for row, sample in enumerate(ids):
            write_patch_files(store, sample, self.result, row)
            for label, worst in self.aware.items():
                if worst[row].result is not self.result:
                    write_patch_files(store, f"{sample}/{folder_of(label)}", worst[row].result, worst[row].row)


@dataclass(frozen=True, eq=False)
class Exam:
    """One batch.

    Args:
        subject: images and victim.
        entries: the defences.
        choice: what is laid on the images.
        donor: of natural crops.
        advance: takes how many images are done, in fractions.
        checked: ids of the images on which the attacks themselves are tested.
        base: the patches, where they are there already; None: one is sought for each image.
    """

    subject: Subject
    entries: Sequence[Entry]
    choice: GuardChoice
    donor: Donor
    advance: Callable[[float], None] = field(default=lambda done: None)
    checked: frozenset[str] = frozenset()
    base: PatchResult | None = None

    def take(self) -> Examined:
        """Attack, defend, measure."""
        share = len(self.subject.ids) / (len(self.entries) + 1)
        base = self._sought() if self.base is None else self.base
        self.advance(share)
        controls = self._controls(base)
        rows: list[Row] = []
        kept: dict[tuple[str, str], list[Any]] = {}
        undefended: list[Looked] = []
        aware: dict[str, list[Hit]] = {}
        for turn, entry in enumerate(self.entries):
            with installed(entry.purifier):
                looks, columns, aware[entry.label] = self._views(entry, base, controls)
            undefended = undefended or looks["unaware"]
            kept |= {(entry.label, view): [one.kept for one in found] for view, found in looks.items()}
            rows += self._rows(entry, base, looks, columns, undefended)
            self.advance(share * (turn + 2))
        return Examined(rows, kept, base, aware)

    def _sought(self) -> PatchResult:
        """A patch against the undefended victim for each image."""
        subject = self.subject
        bare = Behind(subject.problem, patch_defense("none"), objects=subject.objects)
        return make_patches(subject, bare, self.choice.patch.parameters(), self.choice, range(len(subject.ids)))

    def _views(
        self, entry: Entry, base: PatchResult, controls: dict[str, dict[str, Tensor]]
    ) -> tuple[dict[str, list[Looked]], list[Row], list[Hit]]:
        """What the defended victim makes of everything, columns about the defence itself, and the worst patches."""
        subject, ids = self.subject, self.subject.ids
        idle, guard = entry.ready(base.mask, ids, patched=False), entry.ready(base.mask, ids)
        clean, flagged = behind(idle, subject.inputs, subject, base.mask)
        looks = {"clean": clean}
        for name, inputs in controls.items():
            looks[name] = behind(guard, inputs, subject, base.mask)[0]
        looks["unaware"], mask = behind(guard, base.inputs, subject, base.mask)
        begin = time.perf_counter()
        guard(base.inputs)
        seconds = (time.perf_counter() - begin) / len(ids)
        hits = [Hit("unaware", look, base, row, mask[row]) for row, look in enumerate(looks["unaware"])]
        columns: list[Row] = [
            {"clean_masked": _share(flagged[row]), **self._about(hit, row), "seconds": seconds}
            for row, hit in enumerate(hits)
        ]
        worst = self._know(entry, hits, looks, columns) if self.choice.aware else hits
        return looks, columns if entry.localises else [_blind(one) for one in columns], worst

    def _know(self, entry: Entry, unaware: list[Hit], looks: dict[str, list[Looked]], columns: list[Row]) -> list[Hit]:
        """Attacks that know the defence; the worst for each image becomes the view "aware", and is returned."""
        campaign = Campaign(self.subject, entry, self.choice, unaware)
        campaign.run()
        worst = campaign.worst()
        looks["aware"] = [hit.look for hit in worst]
        looks["alone"] = [hit.look for hit in campaign.alone()]
        checks = check(campaign, self.checked)
        for row, hit in enumerate(worst):
            about = {f"aware_{key}": value for key, value in self._about(hit, row).items()}
            columns[row] |= {
                **about, **checks[row], "aware_attack": hit.name, "aware_passes": int(campaign.passes[row])
            }  # fmt: skip
        return worst

    def _about(self, hit: Hit, row: int) -> Row:
        """What a defence did with a patched image."""
        objects = self.subject.objects[row]
        return {**_overlap(hit.mask, hit.covered), "object_masked": _inside(hit.mask, objects & ~hit.covered)}

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


def checked_ids(choice: GuardChoice, ids: Sequence[str]) -> frozenset[str]:
    """The images on which the attacks themselves are tested."""
    return frozenset(ids[:_CHECKED]) if choice.aware and choice.checks else frozenset()


def folder_of(label: str) -> str:
    """A row's name as a folder."""
    return label.replace(" (", "-").replace(")", "")


def _overlap(found: Tensor, truth: Tensor) -> Row:
    """Pixels of one image in both masks and in either."""
    both, either = int((found & truth).sum()), int((found | truth).sum())
    return {"mask_both": both, "mask_either": either}


def _blind(columns: Row) -> Row:
    """The columns of a defence that looks for no patch."""
    return {key: None if "mask" in key else value for key, value in columns.items()}


def _share(mask: Tensor) -> float:
    return float(mask.float().mean())


def _inside(mask: Tensor, where: Tensor) -> float | None:
    """The share of some pixels that a mask covers; None where there are none."""
    total = int(where.sum())
    return int((mask & where).sum()) / total if total else None

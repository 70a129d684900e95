"""A patch run to a section of a page, to tables and to CSV."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.gallery import Shown
from rgbdsod.report.patch.pictures import patch_gallery
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Cell, Column, Estimate, Row, Table, print_cell
from rgbdsod.report.values import better, title
from rgbdsod.report.view import Fact, Headline, Section
from rgbdsod.report.wording import INPUTS, show_count

COMMANDS = ("patch make", "patch apply")

_REGIONS = {"rest": "all but the patch", "far": "far from the patch", "all": "the whole picture"}
_NOTE = (
    "Raw protocol: maps as the network gives them. Far: farther from the patch than 5 % of the longer side. Images "
    "whose object is not in a region are left out of it. On the patch: mean of the map under it."
)
_EFFECT_NOTE = (
    "By how much the patch worsens each measure, the same of the control that worsens it most, and the difference with "
    "its 95 % interval (paired bootstrap over images): what the patch does beyond being there."
)


def patch_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of a patch run.

    Args:
        run: made by one of `COMMANDS`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how pictures are shown.
    """
    return Section(
        anchor=anchor,
        title=f"A patch on the {_modality(run.metrics)} of {run.metrics['model']}",
        kicker=describe.kicker(run),
        lede=_lede(run.metrics),
        facts=(*describe.facts(run), *_facts(run.metrics)),
        notes=tuple(dict.fromkeys((*describe.notes(run), *run.metrics["notes"], *_left_out(run.metrics)))),
        headlines=_headlines(run),
        headline_note="Beside the patch, raw protocol: clean, and with the patch.",
        tables=tuple(patch_tables(run)),
        gallery=patch_gallery(run, page, shown),
        rows=_image_table(run),
        record=describe.record_blocks(run),
    )


def patch_tables(run: Run) -> list[Table]:
    """The states over each region, and the effects beyond the controls."""
    return [*(_states(run, region) for region in _REGIONS), _effects(run)]


def patch_csv(runs: Sequence[Run]) -> str:
    """A line for each image, every digit."""
    lines = [{"run": run.path.name, **row} for run in runs for row in run.rows]
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _states(run: Run, region: str) -> Table:
    states = run.metrics["states"]
    names = list(next(iter(states.values()))["regions"][region]["raw"])
    columns = [Column("state", "text"), *(Column(title(run, name), better=better(run, name)) for name in names)]
    more = [Column("on the patch"), Column("goal reached"), Column("images")]
    rows = []
    for own in states.values():
        found = own["regions"][region]
        cells: list[Cell] = [own["title"], *(found["raw"].get(name) for name in names)]
        rows.append(Row((*cells, own["on_patch"], own["reached"], found["images"])))
    return Table(_REGIONS[region].capitalize(), (*columns, *more), tuple(rows), _NOTE if region == "rest" else "")


def _effects(run: Run) -> Table:
    titles = {state: own["title"] for state, own in run.metrics["states"].items()}
    rows = tuple(
        Row(
            (
                _REGIONS[one["region"]], title(run, one["measure"]), one["harm"], titles[one["control"]],
                one["control_harm"], Estimate(one["mean"], one["low"], one["high"]),
            )
        )
        for one in run.metrics["effects"]
    )  # fmt: skip
    columns = (
        Column("region", "text"), Column("measure", "text"), Column("harm of the patch", "change"),
        Column("worst control", "text"), Column("its harm", "change"), Column("effect", "change"),
    )  # fmt: skip
    return Table("Beyond the controls", columns, rows, _EFFECT_NOTE, prose=True)


def _image_table(run: Run) -> Table:
    states = list(run.metrics["states"])
    columns = [
        Column("id", "text"),
        Column("covered"),
        *(Column(state, group="IoU beside the patch") for state in states),
    ]
    rows = tuple(
        Row((str(row["id"]), row["covered"], *(row[f"{state}_iou_bin_rest_raw"] for state in states)))
        for row in run.rows
    )
    return Table("Every image", tuple(columns), rows, "raw protocol; images without a place have no numbers")


def _lede(metrics: Mapping[str, Any]) -> str:
    reached, images = metrics["states"]["patched"]["reached"], metrics["images"]
    effect = next((one for one in metrics["effects"] if (one["measure"], one["region"]) == ("iou_bin", "rest")), None)
    text = f"The goal ({metrics['rule']}) was reached on {reached} of {images} images"
    if effect is None:
        return f"{text}."
    return (
        f"{text}. Beside the patch the IoU falls by {print_cell(effect['harm'])}, under the worst control by "
        f"{print_cell(effect['control_harm'])}."
    )


def _facts(metrics: Mapping[str, Any]) -> tuple[Fact, ...]:
    mode = "" if metrics["depth_mode"] is None else f"depth {metrics['depth_mode']}"
    real = "a real object could look so" if metrics["physical"] else "digital only"
    source = metrics["source"]
    made = {"picture": "one for each image", "set": "one for all images"}.get(
        source["per"], f"from {source.get('patch')}"
    )
    return (
        Fact("Patch", f"{metrics['size']} of an image, {metrics['where']}", f"{metrics['covered']:.1%} covered"),
        Fact("Changes", _modality(metrics), ", ".join(filter(None, (mode, real)))),
        Fact("Made", made, f"goal {metrics['goal']}, transforms {metrics['transforms']}"),
    )


def _headlines(run: Run) -> tuple[Headline, ...]:
    before, after = (run.metrics["states"][state]["regions"]["rest"]["raw"] for state in ("clean", "patched"))
    return tuple(
        Headline(title(run, name), print_cell(before[name]), print_cell(after[name]))
        for name in ("iou_bin", "mae", "fm_max")
        if name in before
    )


def _left_out(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    without = metrics["no_place"]
    if not without:
        return ()
    return (f"{show_count(len(without))} images had no place for the patch and count nowhere: {', '.join(without)}.",)


def _modality(metrics: Mapping[str, Any]) -> str:
    return "RGB and depth" if metrics["modality"] == "both" else INPUTS[metrics["modality"]]

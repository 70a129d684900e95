"""Attention maps to a section of a page: distances, and every image with its maps side by side."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rgbdsod.report import describe
from rgbdsod.report.clip.attention_panels import COLOURS, AttentionPanels
from rgbdsod.report.gallery import Shown
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Column, Estimate, Row, Table
from rgbdsod.report.view import Card, Fact, Gallery, Headline, Section
from rgbdsod.report.wording import NORMS, show_attack, show_eps

COMMAND = "clip attention"

KINDS = {"text": "text-guided", "vision": "class token", "gradcam": "Grad-CAM"}
_VIEWS = {"attacked": "original, attacked", "repaired_clean": "repaired, clean", "repaired": "repaired, attacked"}
_NOTE = (
    "Distances are from the original model's map of the clean image, both stretched to [0, 1] and enlarged to "
    "{side} x {side}: Euclidean (at most {side}, as in the losses of TGA-ZSR), and one minus the cosine. 0 means that "
    "the model looks where it looked."
)
_MAPS = (
    "Text-guided: patches against the text of the true class. Class token: where it looks, mean over heads of the last "
    "block. Grad-CAM: what raises the highest class score."
)
_LEGEND = (
    "Each map lies in matplotlib's {colours} (dark 0, bright 1) over the grey picture that it is of; the number is its "
    "Euclidean distance from the clean one. Below a picture: what the model takes it for."
)


def attention_section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    """All that a page shows of attention maps.

    Args:
        run: made by `rgbdsod clip attention`.
        anchor: makes element ids unique.
        page: where the page will lie.
        shown: how much.
    """
    maker = AttentionPanels(page)
    gallery = _gallery(run, maker, shown)
    missing = (f"Pictures that cannot be read: {', '.join(maker.broken[:3])}.",) if maker.broken else ()
    return Section(
        anchor=anchor,
        title=f"Where {run.metrics['model']} looks, clean and attacked",
        kicker=describe.kicker(run),
        lede=_lede(run),
        facts=(*describe.facts(run), *_facts(run)),
        notes=(*describe.notes(run), *missing),
        headlines=_headlines(run),
        headline_note=f"Mean Euclidean distances. {_NOTE.format(side=run.metrics['side'])} {_MAPS}",
        tables=(_distances(run),),
        gallery=gallery,
        rows=_images(run),
        record=describe.record_blocks(run),
    )


def attention_tables(run: Run) -> list[Table]:
    """Mean distances, and those of each image."""
    return [_distances(run, _NOTE.format(side=run.metrics["side"])), _images(run)]


def attention_csv(runs: Sequence[Run]) -> str:
    """A line for each image, every digit."""
    lines = [{"run": run.path.name, **row} for run in runs for row in run.rows]
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _lede(run: Run) -> str:
    metrics, accuracy = run.metrics, run.metrics["accuracy"]
    text = (
        f"{show_attack(metrics['attack'])} within {show_eps(metrics['eps'])} takes the accuracy on {metrics['images']} "
        f"images from {accuracy['clean']:.0%} to {accuracy['attacked']:.0%}"
    )
    if metrics["repaired"] is None:
        return f"{text}."
    return f"{text}; the model hardened by {metrics['repaired']} keeps {accuracy['repaired']:.0%} under its own attack."


def _facts(run: Run) -> tuple[Fact, ...]:
    metrics, repaired = run.metrics, run.record.get("repaired")
    own = [Fact("Attack", show_attack(metrics["attack"]), f"{NORMS[metrics['norm']]} {show_eps(metrics['eps'])}")]
    own += [Fact("Patches", " x ".join(map(str, metrics["grid"])), f"compared at side {metrics['side']}")]
    if repaired:
        own.append(Fact("Repaired", str(repaired.get("method") or "hardened"), str(repaired["source"])))
    return tuple(own)


def _headlines(run: Run) -> tuple[Headline, ...]:
    """For each kind the mean distance under attack: of the original, and of the repaired model."""
    found = []
    for kind in _kinds(run):
        own = {row["view"]: row["l2"]["value"] for row in run.metrics["distances"] if row["kind"] == kind}
        more = f"repaired: {own['repaired']:.0f}" if "repaired" in own else ""
        found.append(Headline(f"{KINDS[kind]}, attacked", f"{own['attacked']:.0f}", more=more))
    return tuple(found)


def _distances(run: Run, note: str = "") -> Table:
    columns = (
        Column("attention", "text"), Column("model", "text"), Column("L2", better="down", group="distance"),
        Column("cosine", better="down", group="distance"), Column("accuracy", better="up"),
    )  # fmt: skip
    accuracy = run.metrics["accuracy"]
    rows = [
        Row((KINDS[own["kind"]], _VIEWS[own["view"]], _of(own["l2"]), _of(own["cosine"]), accuracy[own["view"]]))
        for own in run.metrics["distances"]
    ]
    changes = [
        Row((KINDS[own["kind"]], "difference, attacked", _of(own["l2"]), _of(own["cosine"]), None))
        for own in run.metrics["changes"]
    ]
    return Table("Mean distance from the clean map", columns, (*rows, *changes), note or "with 95 % intervals")


def _images(run: Run) -> Table:
    """Every distance of every image."""
    names = [(own["kind"], own["view"]) for own in run.metrics["distances"]]
    views = list(dict.fromkeys(view for _, view in names))
    columns = [Column("id", "text"), Column("class", "text"), Column("clean: taken for", "text")]
    columns += [Column(f"{_VIEWS[view]}: taken for", "text") for view in views]
    columns += [Column(f"{KINDS[kind]}, {_VIEWS[view]}: L2") for kind, view in names]
    rows = []
    for row in run.rows:
        answers = (row["class"], row["clean_class"], *(row[f"{view}_class"] for view in views))
        rows.append(Row((str(row["id"]), *answers, *(row[f"{kind}_{view}_l2"] for kind, view in names))))
    return Table("Every image", tuple(columns), tuple(rows), "classes and distances")


def _gallery(run: Run, maker: AttentionPanels, shown: Shown) -> Gallery | None:
    """A card for each image and kind of attention; the kinds are what a reader may choose from."""
    rows = run.rows[: shown.count]
    cards = [_card(row, kind, run, maker) for row in rows for kind in _kinds(run)]
    cards = [card for card in cards if card.panels]
    if not cards:
        return None
    kinds = tuple((kind, KINDS[kind]) for kind in _kinds(run))
    count = (
        f"Maps of {len(rows)} of {len(run.rows)} images." if len(rows) < len(run.rows) else f"All {len(rows)} images."
    )
    note = f"{count} {_LEGEND.format(colours=COLOURS)}"
    sorts = (("id", "id"), ("far", "distance under attack"))
    return Gallery(tuple(cards), sorts, note, kinds if len(kinds) > 1 else ())


def _card(row: Mapping[str, Any], kind: str, run: Run, maker: AttentionPanels) -> Card:
    values = [Headline("class", str(row["class"]))]
    columns = [(name, f"{kind}_{view}_cosine") for view, name in (("attacked", "attacked"), ("repaired", "repaired"))]
    values += [Headline(f"cosine distance, {name}", f"{row[key]:.3f}") for name, key in columns if key in row]
    panels = maker.panels(row, kind, run.pictures(str(row["pictures"])))
    return Card(f"{row['id']}, {KINDS[kind]}", kind, {"far": row[f"{kind}_attacked_l2"]}, tuple(values), panels)


def _kinds(run: Run) -> list[str]:
    return list(dict.fromkeys(own["kind"] for own in run.metrics["distances"]))


def _of(own: Mapping[str, float]) -> Estimate:
    return Estimate(own["value"], own["low"], own["high"])

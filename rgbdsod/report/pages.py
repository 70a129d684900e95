"""Runs to a page: what stands where."""

from collections.abc import Sequence
from pathlib import Path

from rgbdsod import __version__
from rgbdsod.report import describe
from rgbdsod.report.ablation.page import ablation_section
from rgbdsod.report.clip.page import is_zero_shot, zero_shot_section
from rgbdsod.report.compare import comparison_figures, comparison_tables, labels
from rgbdsod.report.gallery import Shown, build_gallery
from rgbdsod.report.graphs import figure_groups, training_groups
from rgbdsod.report.kinds import kind_of
from rgbdsod.report.reading import Run
from rgbdsod.report.results import headline_note, headlines, image_table, tables
from rgbdsod.report.training import training_headlines, training_table
from rgbdsod.report.view import Page, Section


def build_page(runs: Sequence[Run], page: Path, shown: Shown, *, compare: bool) -> Page:
    """A page of one run, or of several with their comparison in front.

    Args:
        runs: at least one.
        page: where the file will lie.
        shown: how pictures are shown.
        compare: add every other run against the first.
    """
    sections = tuple(_section(run, f"run-{place}", page, shown) for place, run in enumerate(runs, start=1))
    if len(runs) == 1:
        return Page(sections[0].title, "", sections, __version__)
    measured = [run for run in runs if run.metrics and not is_zero_shot(run) and kind_of(run) is None]
    return Page(
        title=" against ".join(labels(runs)) if compare and len(runs) == 2 else f"{len(runs)} runs compared",
        kicker="rgbdsod report",
        sections=sections,
        made=__version__,
        notes=tuple(dict.fromkeys(note for run in runs for note in describe.notes(run))),
        comparison=comparison_tables(measured, against=compare) if measured else (),
        figures=comparison_figures(measured) if measured else (),
    )


def _section(run: Run, anchor: str, page: Path, shown: Shown) -> Section:
    if run.ablation is not None:
        return ablation_section(run, anchor, run.ablation)
    if is_zero_shot(run):
        return zero_shot_section(run, anchor, page, shown)
    if (kind := kind_of(run)) is not None:
        return kind.section(run, anchor, page, shown)
    if not run.metrics:
        return _training_section(run, anchor)
    gallery, missing = build_gallery(run, page, shown)
    return Section(
        anchor=anchor,
        title=describe.title(run),
        kicker=describe.kicker(run),
        lede=describe.lede(run),
        facts=describe.facts(run),
        notes=(*describe.notes(run), *missing),
        headlines=headlines(run),
        headline_note=headline_note(run),
        tables=tables(run),
        figures=figure_groups(run, anchor),
        gallery=gallery,
        rows=image_table(run),
        record=describe.record_blocks(run),
    )


def _training_section(run: Run, anchor: str) -> Section:
    return Section(
        anchor=anchor,
        title=describe.title(run),
        kicker=describe.kicker(run),
        lede="",
        facts=describe.facts(run),
        notes=describe.notes(run),
        headlines=training_headlines(run),
        figures=training_groups(run, anchor),
        rows=training_table(run),
        record=describe.record_blocks(run),
    )

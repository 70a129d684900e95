"""An ablation to a section of a page: headlines, tables, figures, record."""

from rgbdsod.report import describe
from rgbdsod.report.ablation.derived import derived_groups
from rgbdsod.report.ablation.document import AblationDocument, is_reference
from rgbdsod.report.ablation.graphs import figure_groups
from rgbdsod.report.ablation.grid import show_input
from rgbdsod.report.ablation.measures import measure_note, measure_tables, network_table
from rgbdsod.report.ablation.transfers import transfer_group
from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Table
from rgbdsod.report.view import Block, Fact, Headline, Section, TableGroup
from rgbdsod.report.wording import listing, show_attack, show_eps

_FEW_SEEDS = 3  # what a comparison of trained networks is expected to have at least


def ablation_section(run: Run, anchor: str, document: AblationDocument) -> Section:
    """All that a page shows of an ablation."""
    return Section(
        anchor=anchor,
        title=_title(document),
        kicker=describe.kicker(run),
        lede=_lede(document),
        facts=_facts(run, document),
        notes=_notes(run, document),
        headlines=_headlines(document),
        headline_note=measure_note(document),
        tables=tuple(table for model in document.models for table in measure_tables(document, model)),
        figures=figure_groups(document, anchor),
        groups=_groups(document),
        rows=network_table(document, digits=16),
        record=(*describe.record_blocks(run)[:1], _settings(document), *describe.record_blocks(run)[1:]),
    )


def ablation_tables(document: AblationDocument) -> list[Table]:
    """All tables in one list, for formats without a page."""
    note = measure_note(document)
    main = [_with_note(table, note) for model in document.models for table in measure_tables(document, model)]
    derived = [_with_note(table, group.note) for group in _groups(document) for _, own in group.folds for table in own]
    return [*main, *derived, network_table(document)]


def _with_note(table: Table, note: str) -> Table:
    """A table that stands without the text above its group."""
    return Table(table.title, table.columns, table.rows, f"{table.note} {note}".strip())


def _groups(document: AblationDocument) -> tuple[TableGroup, ...]:
    transfer = transfer_group(document)
    return (*derived_groups(document), *(() if transfer is None else (transfer,)))


def _title(document: AblationDocument) -> str:
    return f"Where RGB and depth meet: {listing(document.models)}"


def _lede(document: AblationDocument) -> str:
    """What was compared, in two sentences."""
    count, seeds, images = len(document.variants), len(document.seeds), document.data.images
    text = (
        f"{_counted(count, 'network')}: {_counted(len(document.models), 'architecture')}, "
        f"{_counted(len(document.fusions), 'fusion design')}, {_counted(len(document.trainings), 'training')} and "
        f"{_counted(seeds, 'seed')}, measured on {_counted(images, 'image')}."
    )
    if not document.attacks:
        return text
    inputs = {own.modality for own in document.table if own.attack in document.attacks}
    where = listing([show_input(name) for name in ("rgb", "depth", "both") if name in inputs])
    return (
        f"{text} Attacked by {listing([show_attack(name) for name in document.attacks])} on {where}, with radius "
        f"{listing([show_eps(eps) for eps in document.radii])} in the attacked input's own range."
    )


def _headlines(document: AblationDocument) -> tuple[Headline, ...]:
    designs = [name for name in document.fusions if not is_reference(name)]
    references = [name for name in document.fusions if is_reference(name)]
    beside = f", beside {listing(references)} alone" if references else ""
    return (
        Headline("Networks", str(len(document.variants)), more=listing(document.models)),
        Headline("Fusion designs", str(len(designs)), more=f"{', '.join(designs)}{beside}"),
        Headline("Trainings", str(len(document.trainings)), more=", ".join(document.trainings)),
        Headline("Seeds", str(len(document.seeds)), more=", ".join(map(str, document.seeds))),
        Headline("Images", str(document.data.images)),
    )


def _facts(run: Run, document: AblationDocument) -> tuple[Fact, ...]:
    data = document.data
    prints = "" if data.fingerprint is None else f"fingerprint {data.fingerprint[:12]}"
    own = (
        Fact("Data", f"{data.name}, {_counted(data.images, 'image')}", prints),
        Fact("Attacks", ", ".join(show_attack(name) for name in document.attacks), "the same for every network"),
        Fact("Radii", ", ".join(show_eps(eps) for eps in document.radii), "of each attacked input's own range"),
        *describe.machine_facts(run),
    )
    return tuple(fact for fact in own if fact.value)


def _notes(run: Run, document: AblationDocument) -> tuple[str, ...]:
    """What a reader must know before trusting a number."""
    found = [document.note, *describe.notes(run)]
    count = len(document.seeds)
    if count < _FEW_SEEDS:
        found.append(
            f"Trained with {_counted(count, 'seed')} only: the intervals hold little or nothing of how far another "
            f"training would move the numbers; {_FEW_SEEDS} seeds or more are customary."
        )
    return tuple(dict.fromkeys(note for note in found if note))


def _settings(document: AblationDocument) -> Block:
    return Block("Settings", "\n".join(f"{name} = {value}" for name, value in document.settings.items()))


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"

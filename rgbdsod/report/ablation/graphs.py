"""Which figures an ablation has, and what their captions say."""

from collections.abc import Iterator, Sequence

from rgbdsod.report.ablation import drawing
from rgbdsod.report.ablation.document import AblationDocument, Derived, Mean, is_reference
from rgbdsod.report.ablation.drawn import LEVELS, MODALITIES, Drawn
from rgbdsod.report.ablation.externality import externality
from rgbdsod.report.ablation.grid import show_input
from rgbdsod.report.ablation.measures import direction, luck, spoken
from rgbdsod.report.ablation.styles import styles
from rgbdsod.report.ablation.transfers import Matrix, matrices
from rgbdsod.report.tables import Estimate
from rgbdsod.report.view import Figure, FigureGroup
from rgbdsod.report.wording import show_attack, show_eps


def drawn_figures(document: AblationDocument, prefix: str = "") -> list[Drawn]:
    """All figures: robustness and reliance by attack and training, externality by attack and radius, transfer.

    Args:
        document: of the ablation.
        prefix: makes element ids unique on a page.
    """
    every = (_robustness, _reliance, externality, _transfer)
    return [own for figures in every for own in figures(document, prefix)]


def figure_groups(document: AblationDocument, prefix: str) -> tuple[FigureGroup, ...]:
    """The same for the page: figures that share a title stand together."""
    groups: dict[str, list[Figure]] = {}
    for own in drawn_figures(document, f"{prefix}-"):
        groups.setdefault(own.group, []).append(Figure(own.svg, own.caption, strip=True))
    return tuple(FigureGroup(title, tuple(figures)) for title, figures in groups.items())


def _robustness(document: AblationDocument, prefix: str) -> Iterator[Drawn]:
    measure, looks = spoken(document.measure), styles(document.fusions)
    for attack in document.attacks:
        for training in document.trainings:
            panels = {
                model: {
                    f"attack on {show_input(modality)}": curves
                    for modality in _modalities(document, attack)
                    if (curves := _curves(document, (model, training), attack, modality))
                }
                for model in document.models
            }
            panels = {model: row for model, row in panels.items() if row}
            if not panels:
                continue
            name = f"robustness-{attack}-{training}"
            title = f"{measure} against the radius of {show_attack(attack)}, training {training}"
            svg = drawing.robustness(f"{prefix}{name}", title, panels, looks, x="radius, in 1/255", y=measure)
            worse = "lower" if direction(document.measure) == "up" else "higher"
            caption = (
                f"Training: {training}. {measure} (benchmark protocol) of each fusion design under "
                f"{show_attack(attack)} against the radius, in 1/255 of the attacked input's range; 0 is the clean "
                f"input, {worse} is worse. References, which read one input, are dashed. Bars: {luck(document)}."
            )
            yield Drawn(name, f"Robustness under {show_attack(attack)}", svg, caption)


def _modalities(document: AblationDocument, attack: str) -> list[str]:
    there = {own.modality for own in document.table if own.attack == attack}
    return [name for name in MODALITIES if name in there] + sorted(there - set(MODALITIES))


def _curves(
    document: AblationDocument, who: tuple[str, str], attack: str, modality: str
) -> dict[str, list[tuple[float, Estimate]]]:
    """The clean point and those of the attack, in levels; designs that this attack was not run on are left out."""
    found = {}
    for fusion in document.fusions:
        own = [
            mean
            for mean in document.table
            if mean.network == (who[0], fusion, who[1]) and mean.measure == document.measure
        ]
        attacked = sorted((mean for mean in own if (mean.attack, mean.modality) == (attack, modality)), key=_by_eps)
        clean = [mean for mean in own if mean.attack == "clean"][:1]
        if attacked:
            found[fusion] = [(mean.eps * LEVELS, mean.estimate) for mean in (*clean, *attacked)]
    return found


def _by_eps(own: Mean) -> float:
    return own.eps


def _reliance(document: AblationDocument, prefix: str) -> Iterator[Drawn]:
    shares = [own for own in document.derived if own.kind == "reliance" and own.modality == "depth"]
    for attack in document.attacks:
        for training in document.trainings:
            mine = [own for own in shares if (own.attack, own.training) == (attack, training)]
            if not mine:
                continue
            yield _reliance_figure(document, prefix, attack, training, mine)


def _reliance_figure(
    document: AblationDocument, prefix: str, attack: str, training: str, shares: Sequence[Derived]
) -> Drawn:
    missing = [
        own
        for own in document.derived
        if own.kind == "reliance_missing" and own.modality == "depth" and own.training == training
    ]
    radii = sorted({own.eps for own in shares})
    found = {(own.model, own.fusion, own.eps): own.estimate for own in shares}
    found |= {(own.model, own.fusion, -1.0): own.estimate for own in missing}
    panels = {
        model: [
            drawing.Bars(fusion, tuple(found.get((model, fusion, eps)) for eps in (*radii, -1.0)))
            for fusion in document.fusions
            if not is_reference(fusion) and any((model, fusion, eps) in found for eps in radii)
        ]
        for model in document.models
        if any(own.model == model for own in shares)
    }
    names = [*(f"{show_attack(attack)} {show_eps(eps)}" for eps in radii), "missing"]
    name = f"reliance-{attack}-{training}"
    title = f"Reliance on depth under {show_attack(attack)} and with a missing input, training {training}"
    svg = drawing.reliance(f"{prefix}{name}", title, panels, names, y="depth's share of the drop")
    caption = (
        f"Training: {training}. Depth's share of the drop in {spoken(document.measure)}, of the drops when RGB and "
        f"depth are attacked one at a time by {show_attack(attack)} (filled, fuller at larger radii) or replaced one "
        "at a time by their mean (outline). Above the dashed line the network leans more on depth. "
        f"Lines: {luck(document)}.{_beyond(panels)}"
    )
    return Drawn(name, "Reliance bars", svg, caption)


def _beyond(panels: dict[str, list[drawing.Bars]]) -> str:
    """Sentences on what cannot be drawn: shares of nothing, and intervals longer than the axis."""
    values = [own for groups in panels.values() for group in groups for own in group.values]
    ends = [end for own in values if own is not None for end in (own.low, own.high) if end is not None]
    text = " A dash: nothing was lost, so nothing can be shared." if None in values else ""
    return text + (" Some reach beyond the axis, where drops are near 0." if any(not 0 <= e <= 1 for e in ends) else "")


def _transfer(document: AblationDocument, prefix: str) -> Iterator[Drawn]:
    settings: dict[tuple[str, str, float], list[Matrix]] = {}
    for own in matrices(document):
        settings.setdefault((own.attack, own.training, own.eps), []).append(own)
    for (attack, training, eps), found in settings.items():
        rows = [
            [_heat(own) for own in found if own.model == model]
            for model in document.models
            if any(own.model == model for own in found)
        ]
        name = f"transfer-{attack}-{training}-{eps * LEVELS:.4g}"
        title = f"Transfer of {show_attack(attack)} at {show_eps(eps)} between fusion designs, training {training}"
        seeds = max(own.seeds for own in found)
        caption = (
            f"Training: {training}. Change of the {spoken('sm')} when a design (column) is shown adversarial examples "
            f"made for another (row) by {show_attack(attack)} at {show_eps(eps)}; bold: made for itself. Fuller orange "
            f"is a larger loss, blue a gain. Means over {document.data.images} images and "
            f"{seeds} seed{'' if seeds == 1 else 's'}."
        )
        yield Drawn(name, "Transfer maps", drawing.heat(f"{prefix}{name}", title, rows), caption)


def _heat(own: Matrix) -> drawing.Heat:
    title, itself = f"{own.model}, {show_input(own.modality)}", [(name, name) for name in own.designs]
    return drawing.Heat(title, own.designs, own.designs, own.changes, itself, y="made for", x="shown to")

"""The figures of what a training changes: what hardening one input does to the other, and what it costs."""

from collections.abc import Iterator, Sequence

from rgbdsod.report.ablation import drawing
from rgbdsod.report.ablation.document import AblationDocument, Derived
from rgbdsod.report.ablation.drawn import LEVELS, MODALITIES, Drawn
from rgbdsod.report.ablation.grid import show_input
from rgbdsod.report.ablation.measures import luck, spoken
from rgbdsod.report.wording import show_attack, show_eps


def externality(document: AblationDocument, prefix: str) -> Iterator[Drawn]:
    """A figure for each attack and radius: a matrix for each design, of trainings and what was done to the inputs."""
    changes = [own for own in document.derived if own.kind == "externality" and own.estimate is not None]
    for attack in document.attacks:
        for eps in sorted({own.eps for own in changes if own.attack == attack}):
            shown = [
                own for own in changes if (own.attack, own.eps) in (("clean", 0.0), (attack, eps), ("missing", 0.0))
            ]
            rows = [
                [_change(document, (model, fusion), mine, attack) for fusion in document.fusions
                 if (mine := [own for own in shown if (own.model, own.fusion) == (model, fusion)])]
                for model in document.models
            ]  # fmt: skip
            name = f"externality-{attack}-{eps * LEVELS:.4g}"
            title = f"What trainings change under {show_attack(attack)} at {show_eps(eps)}"
            caption = (
                f"{spoken(document.measure)} of each training (row) less that of the plain one, clean, under "
                f"{show_attack(attack)} at {show_eps(eps)} on each input, and with an input replaced by its mean. "
                f"Bold: the interval excludes 0 ({luck(document)})."
            )
            svg = drawing.heat(f"{prefix}{name}", title, [row for row in rows if row])
            yield Drawn(name, "Externality of trainings", svg, caption)


def _change(document: AblationDocument, who: tuple[str, str], changes: Sequence[Derived], attack: str) -> drawing.Heat:
    """What every training changes about one design."""
    found = {(own.training, _condition(own)): own for own in changes}
    rows = tuple(name for name in document.trainings if any(name == training for training, _ in found))
    there = {condition for _, condition in found}
    order = ["clean", *(_named(kind, modality) for kind in (attack, "missing") for modality in MODALITIES)]
    columns = tuple(name for name in order if name in there)
    return drawing.Heat(
        ", ".join(who), rows, columns, {place: own.value for place, own in found.items() if own.value is not None},
        [place for place, own in found.items() if own.estimate is not None and own.estimate.sure],
    )  # fmt: skip


def _condition(own: Derived) -> str:
    return _named(own.attack, own.modality)


def _named(attack: str, modality: str) -> str:
    """A column's name: "clean", "RGB attacked", "depth missing"."""
    if attack == "clean":
        return attack
    return f"{show_input(modality)} {'missing' if attack == 'missing' else 'attacked'}"

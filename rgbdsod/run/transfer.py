"""The transfer matrix: adversarial examples made on each model, measured on all of them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from rgbdsod.attacks.problem import Problem, frozen
from rgbdsod.attacks.transfer.ensemble import Combine, EnsembleProblem
from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.metrics import MaskCache, summary
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack_piece import AttackPiece
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.definitions import PROTOCOLS, key
from rgbdsod.run.execute import ImageCallback
from rgbdsod.run.folder import to_json
from rgbdsod.run.memory import default_batch
from rgbdsod.run.modeling import device_of, get_data, get_model
from rgbdsod.run.notes import LOGGER
from rgbdsod.run.pieces import Counts, Piece, compute_pieces, merge, stored_pieces
from rgbdsod.run.rehearsal import rehearse
from rgbdsod.run.store import DiskStore, MemoryStore
from rgbdsod.run.survey import Empty, check_images
from rgbdsod.run.threats import Eps

HELD_OUT = "held-out"
"""The source that is the ensemble of all models but the target."""

MEASURED = ("sm", "mae", "iou_bin")
"""In the order of tables."""


@dataclass(frozen=True)
class Cell:
    """Examples made on one source, measured on one target.

    Args:
        source: a model's name, "held-out", or "clean".
        source_fusion: where its modalities meet; "" where that is no one thing.
        target: a model's name.
        target_fusion: where its modalities meet.
        attacked: the data set's values by short name, benchmark protocol.
        change: of these from the clean ones.
        raw: the same as `attacked` without the stretch of each map.
        fooled: how many images are, by the success rule.
    """

    source: str
    source_fusion: str
    target: str
    target_fusion: str
    attacked: dict[str, float]
    change: dict[str, float]
    raw: dict[str, float]
    fooled: int


@dataclass(frozen=True)
class TransferMatrix:
    """Who fools whom.

    Args:
        settings: of the attack, as a run records them.
        data: the images' name.
        images: their number.
        models: names of the models.
        clean: of each model, a cell whose source is "clean".
        cells: by source, then by target.
        note: what to know before comparing the numbers; None if nothing.
    """

    settings: dict[str, Any]
    data: str
    images: int
    models: list[str]
    clean: list[Cell]
    cells: list[Cell]
    note: str | None

    def document(self) -> dict[str, Any]:
        """What `rgbdsod transfer --json` prints."""
        return {"schema": "rgbdsod.transfer/1"} | asdict(self)

    def save(self, folder: str | Path) -> Path:
        """Write matrix.json and matrix.csv, each whole or not at all; returns the folder."""
        store = DiskStore(Path(folder))
        store.write("matrix.csv", _csv([*self.clean, *self.cells], self.images))
        store.write("matrix.json", to_json(self.document()))
        return store.path


def transfer_matrix(
    models: Sequence[str | SaliencyModel],
    data: str | Path | Dataset,
    attack: str = "mifgsm",
    *,
    modality: str | None = None,
    eps: Eps | None = None,
    combine: Combine = "logits",
    held_out: bool = True,
    empty: Empty = "count",
    batch: int | None = None,
    callback: ImageCallback | None = None,
    out: str | Path | None = None,
    settings: AttackSettings | None = None,
    **parameters: Any,
) -> TransferMatrix:
    """Attack every model, and the ensemble of all but each, and measure all of them on the results.

    The examples are rounded to image files' levels before they are measured, as in `rgbdsod.attack`. With two models
    the ensemble would be the other one, and is left out.

    Args:
        models: two or more, by name or from `load_model` or `wrap`, with the same inputs.
        data: a name of `list_datasets()`, a folder, or a data set.
        attack: a name of `list_attacks()`.
        modality: the input to attack, or "both"; None: those that `eps` names, else all.
        eps: one radius, or one for each input.
        combine: what the ensemble averages: "logits", "probabilities" or "loss".
        held_out: also attack the ensemble of all models but each, from three models on.
        empty: masks without foreground: "count" or "skip".
        batch: images at once; None chooses.
        callback: called with (images done, images in all).
        out: a folder for matrix.json and matrix.csv.
        settings: all of the attack's settings, in the place of `attack`, `modality`, `eps` and `parameters`.
        parameters: the attack's own, such as `steps`.

    Raises:
        UsageError: fewer than two models, two of one name, models with different inputs, several radii, and what
            `rgbdsod.attack` refuses.

    Example:
        >>> from rgbdsod.run.transfer import transfer_matrix
        >>> matrix = transfer_matrix(["bbsnet", "jldcf"], "demo", eps={"depth": 8 / 255})  # doctest: +SKIP
        >>> [(cell.source, cell.target, cell.fooled) for cell in matrix.cells]  # doctest: +SKIP
    """
    check_matrix([model if isinstance(model, str) else model.name for model in models], combine)
    chosen = settings or AttackSettings(attack=attack, modality=modality, eps=eps, parameters=parameters)
    found = [get_model(model, hha=True) for model in models]
    check_matrix([model.name for model in found], combine)
    plan = plan_for(chosen, {model.name: model.inputs for model in found})
    images = check_images(get_data(data), empty)
    task = _Task(found, images, plan, combine, held_out and len(found) > 2)
    done = callback or (lambda done, total: None)
    store = MemoryStore()
    with frozen(*found):
        compute_pieces(
            store, images.ids, images.sizes(), batch or default_batch(device_of(found[0])), task.compute,
            note=LOGGER.warning, on_done=lambda count: done(count, len(images)),
        )  # fmt: skip
    matrix = task.matrix(merge(stored_pieces(store), images.ids))
    if out is not None:
        matrix.save(out)
    return matrix


def check_matrix(names: Sequence[str], combine: str) -> None:
    """Refuse what makes no matrix.

    Raises:
        UsageError: fewer than two models, two of one name, or an unknown way to combine.
    """
    if len(names) < 2:
        raise UsageError(f"--models {','.join(names)}: a transfer matrix needs two or more, such as bbsnet,jldcf,d3net")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"--models names {twice[0]} twice; name each model once")
    if combine not in get_args(Combine):
        raise UsageError(f"--combine {combine}: expected {', '.join(get_args(Combine))}")


def plan_for(settings: AttackSettings, inputs: Mapping[str, tuple[str, ...]]) -> AttackPlan:
    """The settings, which fit every model.

    Args:
        settings: of the attack.
        inputs: of the models by name.

    Raises:
        UsageError: models with different inputs, several radii, and what an attack on one model refuses.
    """
    (first, known), *others = inputs.items()
    for name, own in others:
        if set(own) != set(known):
            raise UsageError(
                f"{first} has inputs {', '.join(known)}, but {name} has {', '.join(own)}; "
                "a transfer matrix is of models with the same inputs"
            )
    plan = AttackPlan.of(settings, known, first)
    if settings.space not in (None, "hha"):
        raise UsageError(f"--space {settings.space}: a transfer matrix of networks that read hha moves their channels")
    if len(plan.radii) > 1:
        raise UsageError(f"--eps has {len(plan.radii)} values; a transfer matrix has one radius for each input")
    rehearse(plan)
    return plan


@dataclass(frozen=True, eq=False)
class _Task:
    """What is computed for some images, and what becomes of it."""

    models: list[SaliencyModel]
    data: Dataset
    plan: AttackPlan
    combine: Combine
    held_out: bool

    def compute(self, part: list[int]) -> Piece:
        """Counts and verdicts of every cell, for images of one size."""
        samples, cache = [self.data[index] for index in part], MaskCache()
        pieces = [AttackPiece(model, samples, self.plan, cache, weighted=False) for model in self.models]
        views = {("clean", target): piece.before for target, piece in enumerate(pieces)}
        for source, piece, problem, targets in self._sources(pieces):
            result = piece.perturbed(self.plan.radii[0], lambda done, total: None, problem)
            saved = piece.through_files(result, self.plan.radii[0], MemoryStore(), keep=False)
            views |= {(source, target): pieces[target].look(saved) for target in targets}
        counts: dict[str, Counts] = {_name(*place): view.measured.counts for place, view in views.items()}
        rows = [
            {"id": sample.id, **{_name(*place): bool(view.fooled[i]) for place, view in views.items()}}
            for i, sample in enumerate(samples)
        ]
        return Piece([sample.id for sample in samples], rows, counts)

    def matrix(self, merged: Piece) -> TransferMatrix:
        """The cells of all images."""
        targets = range(len(self.models))
        clean = [self._cell(merged, "clean", target) for target in targets]
        sources = [model.name for model in self.models] + [HELD_OUT] * self.held_out
        return TransferMatrix(
            settings=self.plan.record() | {"combine": self.combine},
            data=self.data.name,
            images=len(merged.ids),
            models=[model.name for model in self.models],
            clean=clean,
            cells=[self._cell(merged, source, target, clean[target]) for source in sources for target in targets],
            note=next((model.card.note for model in self.models if model.card.note), None),
        )

    def _sources(self, pieces: list[AttackPiece]) -> Iterator[tuple[str, AttackPiece, Problem | None, Sequence[int]]]:
        """What examples are made on: a name, a piece, another problem to attack, and the targets that they are for."""
        for piece in pieces:
            yield piece.model.name, piece, None, range(len(pieces))
        if self.held_out:
            for target, piece in enumerate(pieces):
                others = [other.problem for other in pieces if other is not piece]
                yield HELD_OUT, piece, EnsembleProblem(others, combine=self.combine), (target,)

    def _cell(self, merged: Piece, source: str, target: int, clean: Cell | None = None) -> Cell:
        name, fusions = _name(source, target), {model.name: model.card.fusion for model in self.models}
        benchmark, raw = (_values(merged.counts[name], protocol) for protocol in PROTOCOLS)
        before = clean.attacked if clean else benchmark
        return Cell(
            source=source,
            source_fusion=fusions.get(source, ""),
            target=self.models[target].name,
            target_fusion=self.models[target].card.fusion,
            attacked=benchmark,
            change={measure: benchmark[measure] - before[measure] for measure in benchmark},
            raw=raw,
            fooled=sum(row[name] for row in merged.rows),
        )


def _name(source: str, target: int) -> str:
    return f"{target} {source}"


def _values(counts: Counts, protocol: str) -> dict[str, float]:
    values = summary(counts, None, protocol).values
    return {key(name): float(values[name]) for name in MEASURED}


def _csv(cells: Sequence[Cell], images: int) -> bytes:
    """One line a cell."""
    text = io.StringIO()
    names = [key(name) for name in MEASURED]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["source", "source_fusion", "target", "target_fusion", "images", "fooled"]
        + [f"{kind}{name}" for kind in ("", "change_", "raw_") for name in names]
    )
    for cell in cells:
        numbers = [of[name] for of in (cell.attacked, cell.change, cell.raw) for name in names]
        writer.writerow(
            [cell.source, cell.source_fusion, cell.target, cell.target_fusion, images, cell.fooled, *numbers]
        )
    return text.getvalue().encode()

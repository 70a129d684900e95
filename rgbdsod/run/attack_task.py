"""An attack on a data set, as `rgbdsod.run.execute` runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from rgbdsod.attacks.prepared import prepare
from rgbdsod.datasets import Dataset
from rgbdsod.metrics import MaskCache
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import write_pictures, write_settings
from rgbdsod.run.attack_piece import Attacked, AttackPiece
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.health import full_checks
from rgbdsod.run.modeling import data_record, model_record
from rgbdsod.run.pieces import Counts, Piece
from rgbdsod.run.reduce import attack_metrics
from rgbdsod.run.spaces import ChosenSpace
from rgbdsod.run.store import Store


@dataclass(eq=False)
class AttackTask:
    """Attack every image under every set of radii.

    Args:
        model: attacked.
        data: its images.
        plan: what to do.
        pictures: of how many images, from the first on, the report's pictures are written.
        save_tensors: whether the float32 results are written too.
        space: of the budget, for models that read HHA.
        given: how model and data were named, for config.toml.
    """

    model: SaliencyModel
    data: Dataset
    plan: AttackPlan
    pictures: int
    save_tensors: bool = False
    space: ChosenSpace | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "attack"
    cache: MaskCache = field(default_factory=MaskCache)
    _copy: SaliencyModel | None = None

    @property
    def title(self) -> str:
        """Model, data, attack and modality."""
        parts = (self.model.name, self.data.name, self.plan.settings.attack, self.plan.modality)
        return "-".join(Path(part).name for part in parts)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.plan.record(), **(self.space.settings() if self.space else {})}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        chosen = self.plan.settings
        found = {
            "model": model_record(self.model),
            "data": data_record(self.data),
            "seed": chosen.seed,
            "dtype": chosen.dtype,
        }
        return found | ({"hha": self.space.record()} if self.space else {})

    def begin(self, store: Store) -> None:
        """Written before the first piece."""
        write_settings(store, f"{self.data.name}, attacked")

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size; files and pictures are kept of the last set of radii."""
        samples = [self.data[index] for index in part]
        ready = self._prepared if self.plan.settings.prepared else None
        piece = AttackPiece(self.model, samples, self.plan, self.cache, ready=ready)
        turns = len(self.plan.radii)
        rows: list[dict[str, Any]] = []
        counts: dict[str, Counts] = {"clean": piece.before.measured.counts}
        for turn, radii in enumerate(self.plan.radii):

            def tell(done: int, total: int, turn: int = turn) -> None:
                advance(len(part) * (turn + done / max(total, 1)) / turns)

            last = turn == turns - 1
            attacked = piece.attack(radii, tell, store, keep=last, tensors=self.save_tensors)
            if last:
                self._illustrate(part, piece, attacked, store)
            rows += piece.rows(attacked)
            counts |= {
                f"float/{turn}": attacked.exact.measured.counts,
                f"attacked/{turn}": attacked.view.measured.counts,
            }
        return Piece([sample.id for sample in samples], rows, counts)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Data-set values of clean and attacked maps."""
        found = attack_metrics(merged, self.plan)
        if self.space is not None:
            found["space"] = self.space.name
        if self.plan.settings.check:
            found["health"] = full_checks(self.model, self.data, self.plan, self.cache)
        return found

    def _prepared(self, inputs: Mapping[str, Tensor]) -> SaliencyModel:
        """The copy of the model that is attacked; made once, and compared with the model on these inputs."""
        if self._copy is None:
            self._copy = cast(SaliencyModel, prepare(self.model, lambda model: model(**inputs)))
        return self._copy

    def _illustrate(self, part: list[int], piece: AttackPiece, attacked: Attacked, store: Store) -> None:
        """The report's pictures of the first images."""
        for i, (index, sample) in enumerate(zip(part, piece.samples, strict=True)):
            if index < self.pictures:
                maps = {"clean_map": piece.before.maps[i], "attacked_map": attacked.view.maps[i]}
                write_pictures(store, sample, maps, {name: x[i : i + 1] for name, x in attacked.saved.items()})

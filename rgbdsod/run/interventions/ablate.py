"""Replace one stream at one stage after another, and measure what the network loses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbdsod.attacks.problem import frozen
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.ablation.statistics import Draws, estimate, share
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.execute import ImageCallback
from rgbdsod.run.interventions.intervened import Intervened
from rgbdsod.run.interventions.look import Look, Seen
from rgbdsod.run.interventions.modes import Mode, Replacement, find_modes, next_of_a_size
from rgbdsod.run.interventions.places import Place, find_places, stages_of
from rgbdsod.run.interventions.result import MAIN, Intact, Reliance, Share, StageCell, StagesResult
from rgbdsod.run.interventions.usual import Sums, Usual
from rgbdsod.run.memory import default_batch
from rgbdsod.run.modeling import device_of, get_data, get_model, inputs_of
from rgbdsod.run.rehearsal import rehearse
from rgbdsod.run.survey import Empty, check_images

Swap = tuple[Place, Mode]


def ablate_stages(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    stages: str | Sequence[str] = "all",
    streams: str | Sequence[str] = "both",
    modes: str | Sequence[str] = ("cut", "mean", "noise", "swap"),
    attack: AttackSettings | None = None,
    seed: int = 0,
    empty: Empty = "count",
    batch: int | None = None,
    callback: ImageCallback | None = None,
    out: str | Path | None = None,
) -> StagesResult:
    """Replace one stream at one stage of a trained network, and measure what it loses; for each place and mode.

    The network is as it was afterwards. What a stream is replaced by depends on the image and the data set, not on the
    batch. Under an attack the attacker sees the network with the intervention in place.

    Args:
        model: a name of `list_models()`, or a model from `load_model` or `wrap`.
        data: a name of `list_datasets()`, a folder, or a data set; all images have masks.
        stages: names of `stages_of(model)`, or "all".
        streams: inputs of the model, or "both".
        modes: "cut" (zeros), "mean" (each channel's mean over the data set), "noise" (normal, with each channel's mean
            and standard deviation; at the input within [0, 1]), "swap" (the map of the next image of the same size).
        attack: what to attack every network with, within one set of radii; None: clean images alone.
        seed: of the noise.
        empty: masks without foreground: "count" or "skip".
        batch: images at once; None chooses.
        callback: called with (passes over images done, in all).
        out: a folder for stages.json and stages.csv.

    Returns:
        A result with `.summary()`, `.document()`, `.cells` and `.reliance`.

    Raises:
        UsageError: an unknown stage, stream or mode, one image alone to swap, several radii, and what
            `rgbdsod.attack` refuses. DataError: images that cannot be read.

    Example:
        >>> from rgbdsod.run.interventions.ablate import ablate_stages
        >>> result = ablate_stages("bbsnet", "demo", stages=["0", "4_1"], modes="cut")  # doctest: +SKIP
        >>> [(cell.stage, cell.stream, cell.change["sm"].mean) for cell in result.cells]  # doctest: +SKIP
    """
    network = get_model(model)
    wanted = [(place, mode) for place in find_places(network, stages, streams) for mode in find_modes(modes)]
    plan = None if attack is None else plan_for(attack, network)
    images = check_images(get_data(data), empty)
    if len(images) < 2 and any(mode == "swap" for _, mode in wanted):
        raise UsageError(f"--mode swap takes another image's map, but {images.name} has one image; pass more images")
    look = Look(images, plan, batch or default_batch(device_of(network)))
    with frozen(network):
        result = _Job(network, look, wanted, seed, callback or (lambda done, total: None)).run()
    if out is not None:
        result.save(out)
    return result


def plan_for(settings: AttackSettings, model: SaliencyModel) -> AttackPlan:
    """The settings of an attack, which fit the model.

    Raises:
        UsageError: several radii, and what an attack refuses.
    """
    plan = AttackPlan.of(settings, model.inputs, model.name)
    if len(plan.radii) > 1:
        raise UsageError(f"--eps has {len(plan.radii)} values; an ablation of stages has one radius for each input")
    rehearse(plan)
    return plan


@dataclass(frozen=True, eq=False)
class _Job:
    """All passes over the data.

    Args:
        model: intact.
        look: at the data.
        wanted: places and modes.
        seed: of the noise.
        callback: is told about progress.
    """

    model: SaliencyModel
    look: Look
    wanted: list[Swap]
    seed: int
    callback: ImageCallback

    def run(self) -> StagesResult:
        """The intact network, then each intervention."""
        model, data, plan = self.model, self.look.data, self.look.plan
        sums = Sums(place for place, _ in self.wanted)
        intact = self.look.through(lambda part, samples: self._watched(samples, sums), self._progress(0))
        found = self._interventions(sums.usual())
        cells = [_cell(place, mode, intact, seen) for (place, mode), seen in found.items()]
        return StagesResult(
            model=model.name,
            fusion=model.card.fusion,
            data=data.name,
            images=len(data),
            seed=self.seed,
            attack=None if plan is None else plan.record(),
            stages=list(stages_of(model)),
            intact=_intact(intact["clean"], intact.get("attacked")),
            cells=cells,
            reliance=list(_reliance(intact["clean"], found)),
            note=model.card.note or None,
        )

    def _interventions(self, usual: dict[Place, Usual]) -> dict[Swap, dict[str, Seen]]:
        """What the network makes of the images under each intervention."""
        data = self.look.data
        found: dict[Swap, dict[str, Seen]] = {}
        partner = next_of_a_size(data.sizes())
        for turn, (place, mode) in enumerate(self.wanted, start=1):
            value = Replacement(
                self.model, place, mode, usual[place], partner=partner, read=data.read, seed=self.seed
            )  # fmt: skip

            def bind(
                part: list[int], samples: list[Sample], place: Place = place, value: Replacement = value
            ) -> Intervened:
                return Intervened(self.model, place, value(part, samples))

            found[place, mode] = self.look.through(bind, self._progress(turn))
        return found

    def _watched(self, samples: list[Sample], sums: Sums) -> SaliencyModel:
        """The intact network, after a pass over these images whose maps are added up."""
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        sums.watch(self.model, {name: batch[name] for name in self.model.inputs}, [sample.id for sample in samples])
        return self.model

    def _progress(self, turn: int) -> Callable[[int], None]:
        images, turns = len(self.look.data), len(self.wanted) + 1
        return lambda done: self.callback(turn * images + done, turns * images)


def _intact(clean: Seen, attacked: Seen | None) -> Intact:
    found = Intact(clean.values)
    return found if attacked is None else replace(found, attacked=attacked.values, fooled=attacked.fooled)


def _cell(place: Place, mode: Mode, intact: dict[str, Seen], seen: dict[str, Seen]) -> StageCell:
    clean, attacked = seen["clean"], seen.get("attacked")
    found = StageCell(place.stage, place.stream, mode, clean.values, clean.change(intact["clean"]))
    if attacked is None:
        return found
    change = attacked.change(intact["attacked"])
    return replace(found, attacked=attacked.values, attacked_change=change, fooled=attacked.fooled)


def _reliance(clean: Seen, found: dict[Swap, dict[str, Seen]]) -> Iterator[Reliance]:
    """Shares of the streams in what is lost, for each stage and mode at which more than one was replaced."""
    draws = Draws(1, len(clean.images[MAIN]))
    for stage, mode in dict.fromkeys((place.stage, mode) for place, mode in found):
        drops = {
            place.stream: draws.mean((clean.images[MAIN] - seen["clean"].images[MAIN])[None])
            for (place, own), seen in found.items()
            if (place.stage, own) == (stage, mode)
        }
        if len(drops) > 1:
            shares = {name: _share(name, drops) for name in drops}
            yield Reliance(stage, mode, {name: float(drop[0]) for name, drop in drops.items()}, shares)


def _share(name: str, drops: dict[str, NDArray[np.float64]]) -> Share:
    others = [drop for other, drop in drops.items() if other != name]
    return Share(**asdict(estimate(share(drops[name], others))))

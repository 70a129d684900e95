"""Which networks an ablation compares, and under what: checked before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.fusion.presets import FUSIONS, named_spec
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.sizes import check_size
from rgbdsod.models.table import MODELS
from rgbdsod.run.ablation.trainings import PLAIN, Scheme, training_scheme
from rgbdsod.run.attack_settings import AttackPlan, AttackSettings
from rgbdsod.run.train import check_training

REFERENCES = ("rgb", "depth")
"""The designs of one input, without which no table can say whether the other input helps."""

MODALITIES = ("rgb", "depth", "both")
RADII = (2 / 255, 4 / 255, 8 / 255)


@dataclass(frozen=True)
class Network:
    """One trained network.

    Args:
        model: a name of `list_models()`.
        fusion: where its inputs meet, or the one that it reads.
        training: how it is trained, as `training_scheme` reads it.
        seed: of weights, order and augmentation.
    """

    model: str
    fusion: str
    training: str
    seed: int

    @property
    def key(self) -> str:
        """Its name in files and tables."""
        return "-".join((self.model, self.fusion, self.training, str(self.seed))).replace("/", "_").replace(":", "_")

    @property
    def scheme(self) -> Scheme:
        """How it is trained."""
        return training_scheme(self.training)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it reads."""
        return tuple(with_fusion(MODELS[self.model], self.fusion).inputs)


@dataclass(frozen=True, kw_only=True)
class Schooling:
    """What all networks of an ablation have in common when they are trained.

    Args:
        data: training set, by a name that `rgbdsod.load_dataset` reads.
        iterations: steps.
        batch: images in a step; lr: highest learning rate; None: the recipe's.
        size: height and width that the networks work at; None: their own.
    """

    data: str = "scenes:8000"
    iterations: int = 1500
    batch: int | None = None
    lr: float | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Grid:
    """An ablation: every fusion x training x seed is trained, every input of each attacked at every radius.

    Args:
        model: names of `list_models()`; designs of different models are never compared with one another.
        fusion: designs; empty: all of each model, with its single inputs.
        training: schemes, see `training_scheme`; those that need two encoders are left out where there is one.
        seeds: of the trainings.
        schooling: what the trainings have in common.
        attacks: names of `list_attacks()`.
        modality: what is attacked, of "rgb", "depth", "both".
        eps: radii of the attacks, in units of the [0, 1] inputs, ascending.
        steps: of every attack; objective: what they raise.
        transfer: also measure examples made on each design on all others of its model, with the first attack at the
            middle radius.
        seed: of the attacks' random starts.

    Raises:
        UsageError: for names and values that do not fit.
    """

    model: tuple[str, ...] = ("bbsnet",)
    fusion: tuple[str, ...] = ()
    training: tuple[str, ...] = (PLAIN,)
    seeds: tuple[int, ...] = (0, 1)
    schooling: Schooling = Schooling()
    attacks: tuple[str, ...] = ("pgd",)
    modality: tuple[str, ...] = MODALITIES
    eps: tuple[float, ...] = RADII
    steps: int = 20
    objective: str = "bce"
    transfer: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("model", "training", "seeds", "attacks", "modality", "eps"):
            _several(f"--{name}".replace("attacks", "attack"), getattr(self, name))
        for name in self.modality:
            if name not in MODALITIES:
                raise UsageError(f"--modality {name}: an ablation attacks {', '.join(MODALITIES)}")
        for network in self.networks:
            for attack in self.attacks:
                self.plans(network, attack)
        if min(self.seeds) < 0:
            raise UsageError(f"--seeds {min(self.seeds)}: 0 or more")
        own = self.schooling
        for model in self.model:
            if own.size is not None:
                check_size(model, own.size, MODELS[model].multiple)
            check_training(model, 1, recipe=None, lr=own.lr, batch=own.batch, iterations=own.iterations, epochs=None,
                           dtype="auto")  # fmt: skip

    @property
    def networks(self) -> list[Network]:
        """All that are trained, the first seed of all first, so that an early look shows every design."""
        found = [
            Network(model, fusion, training, seed)
            for seed, model in product(self.seeds, self.model)
            for fusion, training in product(self._designs(model), self.training)
        ]
        chosen = [network for network in found if _can(network)]
        for training in self.training:
            if not any(network.training == training for network in chosen):
                raise UsageError(
                    f"--training {training} needs {_needs(training_scheme(training))}, which none of fusion "
                    f"{', '.join(dict.fromkeys(network.fusion for network in found))} has"
                )
        return chosen

    def attacked(self, network: Network) -> tuple[str, ...]:
        """The modalities of the grid that a network has: one of a single input, "both" of two."""
        one = len(network.inputs) == 1
        return tuple(name for name in self.modality if (name in network.inputs) or (name == "both" and not one))

    def settings(self, attack: str, modality: str, eps: float | None = None) -> AttackSettings:
        """Of one attack on one modality, at all radii or one."""
        return AttackSettings(
            attack=attack,
            modality=modality,
            eps=list(self.eps) if eps is None else eps,
            parameters={"steps": self.steps} if "steps" in ATTACKS[attack].parameters() else {},
            objective=self.objective,
            seed=self.seed,
        )

    def plans(self, network: Network, attack: str) -> list[AttackPlan]:
        """All of one attack on a network, checked."""
        return [
            AttackPlan.of(self.settings(attack, modality), network.inputs, network.model)
            for modality in self.attacked(network)
        ]

    def record(self) -> dict[str, Any]:
        """The settings in TOML's types."""
        own = self.schooling
        found: dict[str, Any] = {
            "model": list(self.model),
            "fusion": list(self.fusion),
            "training": list(self.training),
        }
        found |= {"seeds": list(self.seeds), "train_data": own.data, "iterations": own.iterations}
        found |= {name: value for name, value in (("train_batch", own.batch), ("lr", own.lr)) if value is not None}
        found |= {} if own.size is None else {"size": f"{own.size[0]}x{own.size[1]}"}
        found |= {"attack": list(self.attacks), "modality": list(self.modality), "eps": list(self.eps)}
        found |= {"steps": self.steps, "objective": self.objective, "transfer": self.transfer, "seed": self.seed}
        return found

    def _designs(self, model: str) -> tuple[str, ...]:
        row = MODELS[model]
        every = [name for name in row.fusions if ":" not in name]
        designs = self.fusion or tuple(sorted(every, key=lambda name: name not in REFERENCES))
        for name in designs:
            with_fusion(row, name)  # raises with those that there are
        return designs


def _several(flag: str, values: Sequence[Any]) -> None:
    if not values:
        raise UsageError(f"{flag} is empty; give one value or several, with commas between them")
    if twice := [value for value in values if values.count(value) > 1]:
        raise UsageError(f"{flag} has {twice[0]} twice; give each once")


def _can(network: Network) -> bool:
    """Whether a network can be trained by its scheme."""
    scheme = network.scheme
    if not set(scheme.inputs) <= set(network.inputs):
        return False
    return not scheme.streams or _two_encoders(network)


def _two_encoders(network: Network) -> bool:
    """Whether there is an encoder for each input, which alignment losses compare."""
    if network.fusion in FUSIONS and MODELS[network.model].architecture == "unet":
        return named_spec(network.fusion).two_encoders
    # D3Net has encoders of each input in every design; elsewhere early fusion has one.
    return len(network.inputs) == 2 and (network.fusion != "early" or MODELS[network.model].architecture == "d3net")


def _needs(scheme: Scheme) -> str:
    return "two encoders" if scheme.streams else f"the input {' and '.join(scheme.inputs)}"

"""`ablation.json` of a run of `rgbdsod ablate`, read and checked once."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rgbdsod.errors import DataError
from rgbdsod.report.ablation.fields import read_object, read_objects
from rgbdsod.report.tables import Estimate

SCHEMA = "rgbdsod.ablation/1"
MEASURES = ("sm", "fm_max", "em_max", "mae", "iou_bin")
_REFERENCES = ("rgb", "depth")


@dataclass(frozen=True)
class Data:
    """The images that were measured."""

    name: str
    images: int
    fingerprint: str | None


@dataclass(frozen=True)
class Variant:
    """One trained network and its values on clean images."""

    key: str
    model: str
    fusion: str
    training: str
    seed: int
    parameters: int | None
    sha256: str | None
    clean: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a number is about.

    Args:
        model, fusion, training: of the networks.
        attack: its name, or "clean", or "missing" where an input is replaced by its mean.
        modality: "none", "rgb", "depth" or "both"; of "missing" the input that is replaced.
        eps: radius in units of the input's range [0, 1]; 0 without an attack.
    """

    model: str
    fusion: str
    training: str
    attack: str
    modality: str
    eps: float

    @property
    def network(self) -> tuple[str, str, str]:
        """Model, fusion and training."""
        return self.model, self.fusion, self.training


@dataclass(frozen=True)
class Cell(Setting):
    """One network in one setting; benchmark protocol."""

    seed: int
    sm: float
    fm_max: float | None
    em_max: float | None
    mae: float | None
    iou_bin: float | None
    fooled: int | None


@dataclass(frozen=True)
class Mean(Setting):
    """The mean over images and seeds, with its 95 % interval, and each seed's own mean."""

    measure: str
    mean: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]

    @property
    def estimate(self) -> Estimate:
        """The mean with its interval."""
        return Estimate(self.mean, self.low, self.high)


@dataclass(frozen=True)
class Derived(Setting):
    """A number made from means; `against` is what it is compared with, by name."""

    kind: str
    against: str | None
    value: float | None
    low: float | None
    high: float | None

    @property
    def estimate(self) -> Estimate | None:
        """The value with its interval; None where it is not defined."""
        return None if self.value is None else Estimate(self.value, self.low, self.high)


@dataclass(frozen=True)
class Transfer:
    """A network attacked with the adversarial examples made for another (`source`, a fusion)."""

    model: str
    training: str
    attack: str
    modality: str
    eps: float
    seed: int
    source: str
    target: str
    sm: float
    change: float


@dataclass(frozen=True)
class AblationDocument:
    """All that an ablation found.

    Args:
        data: the images.
        measure: the metric of `table` and `derived`.
        variants: the networks.
        cells: a network in a setting; clean ones are there for every network.
        table: means over images and seeds.
        derived: relative drops, reliances, differences and their like.
        transfer: may be empty.
        settings: what the run was asked for.
        note: what must be known before a number is trusted.
    """

    data: Data
    measure: str
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    table: tuple[Mean, ...]
    derived: tuple[Derived, ...] = ()
    transfer: tuple[Transfer, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any], place: str = "ablation.json") -> "AblationDocument":
        """Read the parsed file.

        Args:
            document: the JSON object.
            place: the file's name, for errors.

        Raises:
            DataError: another schema, or a part that is missing or broken.
        """
        if document.get("schema") != SCHEMA:
            raise DataError(
                f"{place} has schema {document.get('schema')}, this version reads {SCHEMA}; "
                "make the report with the version that made the ablation"
            )
        head = read_object(_Head, document, place)
        variants = read_objects(Variant, document.get("variants"), f"{place}: variants")
        if not variants:
            raise DataError(f"{place}: variants is empty, so there is nothing to report; repeat the ablation")
        cells = read_objects(Cell, document.get("cells"), f"{place}: cells")
        return cls(
            data=read_object(Data, document.get("data"), f"{place}: data"),
            measure=head.measure,
            variants=variants,
            cells=(*_missing_clean(variants, cells, place), *cells),
            table=read_objects(Mean, document.get("table"), f"{place}: table"),
            derived=read_objects(Derived, document.get("derived", []), f"{place}: derived"),
            transfer=read_objects(Transfer, document.get("transfer", []), f"{place}: transfer"),
            settings=head.settings,
            note=head.note,
        )

    @property
    def models(self) -> list[str]:
        """Architectures, as they come."""
        return _unique(variant.model for variant in self.variants)

    @property
    def trainings(self) -> list[str]:
        """Trainings, "plain" first."""
        return sorted(_unique(variant.training for variant in self.variants), key=lambda name: name != "plain")

    @property
    def fusions(self) -> list[str]:
        """Fusion designs, the references first."""
        names = _unique(variant.fusion for variant in self.variants)
        return [name for name in names if is_reference(name)] + [name for name in names if not is_reference(name)]

    @property
    def attacks(self) -> list[str]:
        """Attacks, as they come; without "clean" and "missing"."""
        return [name for name in _unique(own.attack for own in self.table) if name not in ("clean", "missing")]

    @property
    def seeds(self) -> list[int]:
        """Seeds of training."""
        return sorted({variant.seed for variant in self.variants})

    @property
    def radii(self) -> list[float]:
        """Radii of the attacks, smallest first."""
        return sorted({own.eps for own in self.table if own.eps})


def is_reference(fusion: str) -> bool:
    """Whether a design reads one input only; the letter of a protocol ("A:rgb") does not matter."""
    return fusion.rpartition(":")[2] in _REFERENCES


@dataclass(frozen=True)
class _Head:
    measure: str
    settings: dict[str, Any]
    note: str | None


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _missing_clean(variants: Iterable[Variant], cells: Iterable[Cell], place: str) -> list[Cell]:
    """Clean cells of the networks that have none among `cells`."""
    there = {(own.model, own.fusion, own.training, own.seed) for own in cells if own.attack == "clean"}
    clean = {"attack": "clean", "modality": "none", "eps": 0.0, "fooled": None}
    return [
        read_object(Cell, asdict(own) | clean | own.clean, f"{place}: {own.key}.clean")
        for own in variants
        if (own.model, own.fusion, own.training, own.seed) not in there
    ]

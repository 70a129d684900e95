"""`rgbdsod.evaluate` and `rgbdsod.evaluate_maps`: clean measures of a model, or of ready maps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from rgbdsod.datasets import Dataset, Sample
from rgbdsod.errors import UsageError
from rgbdsod.metrics import MaskCache
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import write_pictures
from rgbdsod.run.attack import picture_count
from rgbdsod.run.definitions import PROTOCOLS, REPORTED, definitions, find_measure, key
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.measure import Bytes, measure, set_values
from rgbdsod.run.modeling import data_record, device_of, get_data, get_model, inputs_of, model_record
from rgbdsod.run.pieces import Piece
from rgbdsod.run.readymaps import MapFolder
from rgbdsod.run.results import EvalResult
from rgbdsod.run.share import Share
from rgbdsod.run.store import Store
from rgbdsod.run.survey import Empty, check_images


def evaluate(
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    metrics: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    empty: Empty = "count",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    save_images: int | str = "auto",
    share: Share | None = None,
    callback: ImageCallback | None = None,
) -> EvalResult:
    """Measure a model's maps in both protocols of `PROTOCOLS`.

    Args:
        model: a name of `list_models()`, or a model from `load_model` or `wrap`.
        data: a name of `list_datasets()`, a folder, or a data set.
        metrics: those to compute, by the names that tables or JSON use, such as "mae", "iou"; None: all. Leaving out
            "wfm" saves most of the time.
        size: (H, W) that the network works at, instead of its own.
        empty: masks without foreground: "count" or "skip".
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        save_images: of how many images to keep pictures: a number, "all", "none", "auto".
        share: compute only this part; another process with `out` on the same folder computes another.
        callback: called with (images done, images in all).

    Returns:
        The measures, with `.summary()`, `.samples`, `.values` and `.save(folder)`.
    """
    network = get_model(model, hha=True)
    source = ModelMaps(network if size is None else network.at(size))
    return _evaluate(source, data, metrics, empty, batch, out, restart, save_images, share, callback)


def evaluate_maps(
    folder: str | Path,
    data: str | Path | Dataset,
    *,
    metrics: Sequence[str] | None = None,
    empty: Empty = "count",
    out: str | Path | None = None,
    restart: bool = False,
    save_images: int | str = "auto",
    share: Share | None = None,
    callback: ImageCallback | None = None,
) -> EvalResult:
    """Measure ready maps, without a model.

    Args:
        folder: one picture for each image, named after its id; grey or colour, with or without alpha. A map of another
            size than its mask is resized (bilinear).
        data: a name of `list_datasets()`, a folder, or a data set.
        metrics, empty, out, restart, save_images, share, callback: as for `evaluate`.

    Raises:
        DataError: an image has no map, or a map cannot be read.
    """
    return _evaluate(MapFolder(Path(folder)), data, metrics, empty, None, out, restart, save_images, share, callback)


class ModelMaps:
    """Maps from a model.

    Args:
        model: in use.
    """

    def __init__(self, model: SaliencyModel) -> None:
        self.model = model
        self.name = model.name
        self.modules: tuple[nn.Module, ...] = (model,)
        self.device = device_of(model)

    def prepare(self, data: Dataset) -> None:
        """Nothing to do before the first map."""

    def maps(self, samples: Sequence[Sample]) -> list[Bytes]:
        """Maps of samples of one size, uint8 (H, W) each."""
        batch = inputs_of(samples, self.model.inputs, self.device)
        inputs = {name: batch[name] for name in self.model.inputs}
        return list(self.model.predict(size=None, **inputs).cpu().numpy())

    def record(self) -> dict[str, Any]:
        """What run.json says about the source."""
        return model_record(self.model)

    def settings(self) -> dict[str, Any]:
        """What the maps depend on."""
        return {"size": list(self.model.size)} if self.model.size else {}


@dataclass(eq=False)
class EvaluationTask:
    """A clean evaluation, as `rgbdsod.run.execute` runs it.

    Args:
        source: where maps come from.
        data: the images.
        chosen: names of the measures.
        pictures: of how many images, from the first on, pictures are written.
        given: how a command line named model and data, for config.toml.
    """

    source: ModelMaps | MapFolder
    data: Dataset
    chosen: tuple[str, ...] = REPORTED
    pictures: int = 0
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "evaluate"
    cache: MaskCache = field(default_factory=MaskCache)

    @property
    def title(self) -> str:
        """Source and data."""
        return f"{self.source.name}-{Path(self.data.name).name}"

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return self.source.modules

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.source.settings(), "metrics": list(self.chosen)}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        return {"model": self.source.record(), "data": data_record(self.data), "seed": None, "dtype": "float32"}

    def begin(self, store: Store) -> None:
        """Nothing to write before the first piece."""

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Measure the maps of images of one size."""
        samples = [self.data[index] for index in part]
        maps = self.source.maps(samples)
        masks = [sample.mask for sample in samples if sample.mask is not None]
        measured = measure(maps, masks, self.cache, weighted="wfm" in self.chosen)
        rows = []
        for index, sample, picture, columns in zip(part, samples, maps, measured.columns("clean"), strict=True):
            kept = {name: value for name, value in columns.items() if _measure_of(name) in self.chosen}
            rows.append({"id": sample.id, "height": sample.size[0], "width": sample.size[1], **kept})
            if index < self.pictures:
                write_pictures(store, sample, {"clean_map": picture})
        return Piece([sample.id for sample in samples], rows, {"clean": measured.counts})

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Data-set values."""
        sets = set_values(merged.counts["clean"], merged.rows, "clean")
        for found in sets.values():
            found["values"] = {name: value for name, value in found["values"].items() if name in self.chosen}
        return {"definitions": definitions(), "protocols": PROTOCOLS, "clean": sets}


def evaluation_task(
    source: ModelMaps | MapFolder,
    data: Dataset,
    *,
    metrics: Sequence[str] | None = None,
    empty: Empty = "count",
    save_images: int | str = "auto",
    given: Mapping[str, Any] | None = None,
) -> EvaluationTask:
    """Everything checked, nothing started; arguments as for `evaluate`."""
    if metrics is not None and not metrics:
        raise UsageError(f"--metrics names none; there are {', '.join(map(key, REPORTED))}")
    wanted = REPORTED if metrics is None else [find_measure(name) for name in metrics]
    images = check_images(data, empty)
    source.prepare(images)
    return EvaluationTask(
        source,
        images,
        tuple(name for name in REPORTED if name in wanted),
        picture_count(save_images, len(images)),
        given if given is not None else {"model": source.name, "data": data.name},
    )


def _evaluate(
    source: ModelMaps | MapFolder,
    data: str | Path | Dataset,
    metrics: Sequence[str] | None,
    empty: Empty,
    batch: int | None,
    out: str | Path | None,
    restart: bool,
    save_images: int | str,
    share: Share | None,
    callback: ImageCallback | None,
) -> EvalResult:
    task = evaluation_task(source, get_data(data), metrics=metrics, empty=empty, save_images=save_images)
    where = None if out is None else Target(out=out, restart=restart)
    return EvalResult(execute(task, target=where, device=source.device, batch=batch, callback=callback, share=share))


def _measure_of(column: str) -> str:
    return column.removeprefix("clean_").removesuffix("_raw")

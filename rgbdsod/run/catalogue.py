"""What there is, by name: models, attacks, data sets, measures. Lists import no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from inspect import Parameter
from typing import Any

from rgbdsod.attacks.rows import AttackRow
from rgbdsod.attacks.table import ATTACKS, MAP_OBJECTIVES, ObjectiveRow
from rgbdsod.datasets.known import DATASETS, KnownSet
from rgbdsod.defenses.zero_shot.presets import TUNING_PRESETS, TuningPreset
from rgbdsod.defenses.zero_shot.table import METHODS, MethodRow
from rgbdsod.errors import UsageError
from rgbdsod.metrics.table import METRICS, Metric
from rgbdsod.models.fusions import known_fusions
from rgbdsod.models.table import MODELS, ModelRow
from rgbdsod.registry import Table

TABLES: Mapping[str, Table[Any]] = {
    "models": MODELS,
    "attacks": ATTACKS,
    "objectives": MAP_OBJECTIVES,
    "datasets": DATASETS,
    "metrics": METRICS,
    "methods": METHODS,
    "presets": TUNING_PRESETS,
}


KNOWLEDGE = {
    "white": "gradients",
    "score": "scores: the model's outputs",
    "decision": "decisions: whether its aim is reached",
    "none": "nothing of the model",
}
"""What an attack sees of the model."""

AIMS = {"strongest": "the highest loss within the radius", "nearest": "the smallest change that fools"}


@dataclass(frozen=True)
class Info:
    """One thing that has a name.

    Args:
        kind: "model", "attack", "objective", "dataset", "metric", "method" or "preset".
        name: what a user types.
        summary: one line.
        facts: what is known about it, by name.
        parameters: an attack's own parameters with their defaults.
        ranges: what they may be, in words.
    """

    kind: str
    name: str
    summary: str
    facts: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, str] = field(default_factory=dict)


def list_models(pattern: str = "*") -> list[str]:
    """Names of models that match a shell wildcard."""
    return MODELS.names(pattern)


def list_attacks(pattern: str = "*") -> list[str]:
    """Names of attacks that match a shell wildcard."""
    return ATTACKS.names(pattern)


def list_datasets(pattern: str = "*") -> list[str]:
    """Names of data sets that match a shell wildcard: the built-in ones, and the public ones that can be read."""
    return DATASETS.names(pattern)


STAGES = "stages"
"""A kind without a table: the stages of each model, which are read from its network."""


def listing(kind: str, pattern: str = "*") -> list[Info]:
    """All rows of a kind that match a wildcard, without what needs torch; stages are those of the models."""
    if kind == STAGES:
        return [_stages(MODELS[name]) for name in MODELS.names(pattern) if MODELS[name].own]
    return [_info(row, parameters=False) for row in TABLES[kind] if row.name in TABLES[kind].names(pattern)]


def info(name: str, *, fusion: str | None = None, encoder: str | None = None) -> Info:
    """Everything known about a name.

    Args:
        name: of a model, an attack, an objective, a data set, a measure, or a method or preset of `clip train`.
        fusion: of a model, if not the published one.
        encoder: of a model, if not its own.

    Raises:
        UsageError: there is none of that name, or it is no model and has no fusion or encoder.
    """
    for table in TABLES.values():
        if name not in table:
            continue
        row = table[name]
        if isinstance(row, ModelRow):
            return _model(_variant(name, fusion, encoder), parameters=True)
        if fusion or encoder:
            raise UsageError(f'"{name}" is no model; leave out --fusion and --encoder')
        return _info(row, parameters=True)
    every = [known for table in TABLES.values() for known in table.names()]
    close = get_close_matches(name, every, n=1, cutoff=0.5)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise UsageError(f'nothing is called "{name}"{hint} (rgbdsod list)')


def _info(row: Any, *, parameters: bool) -> Info:
    kinds: dict[type, Callable[[Any, bool], Info]] = {
        ModelRow: _model, AttackRow: _attack, ObjectiveRow: _objective, KnownSet: _dataset, Metric: _metric,
        MethodRow: _method, TuningPreset: _preset,
    }  # fmt: skip
    return kinds[type(row)](row, parameters)


def _model(row: ModelRow, parameters: bool) -> Info:
    if row.asset is None:
        summary = f"{row.paper.venue}; bring a checkpoint with --weights FILE, or train it"
    else:
        summary = f"built in, {row.bytes / 1e6:.1f} MB" if row.bytes else "built in"
        summary += f"; the architecture of {row.architecture}.paper on a small encoder"
    facts = {
        "full name": row.full_name,
        "architecture": row.architecture,
        "inputs": ", ".join(row.inputs),
        "fusion": row.fusion,
        "fusions": known_fusions(row) if row.fusions else "",
        "size": f"{row.size[0]}x{row.size[1]}",
        "depth": ", ".join(f"near = {spec.near}" for name, spec in row.inputs.items() if name == "depth"),
        "encoders": ", ".join(row.encoders),
        **(_shapes(row) if parameters and row.own else {}),
        **(_cost(row) if parameters and row.own else {}),
        "weights": row.sha256 and f"built in, {row.bytes} bytes, sha256 {row.sha256}",
        "trained on": row.training,
        "licence": row.licence,
        "paper": f"{row.paper.title}, {row.paper.venue}, {row.paper.url}",
        "note": row.note,
    }
    return Info("model", row.name, summary, _known(facts))


def _stages(row: ModelRow) -> Info:
    """Where the streams of a model meet."""
    from rgbdsod.models.meetings import stage_names

    return Info("stage", row.name, f"{', '.join(stage_names(row))} ({row.fusion})")


def _shapes(row: ModelRow) -> dict[str, str]:
    """What arrives at each stage of a model, in words."""
    from rgbdsod.models.meetings import stage_shapes

    return {
        f"stage {stage}": ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in arriving.items())
        for stage, arriving in stage_shapes(row).items()
    }


def _variant(name: str, fusion: str | None, encoder: str | None) -> ModelRow:
    """The row of a model, with another fusion or encoder."""
    from rgbdsod.models.zoo import row_of

    return row_of(name, fusion, encoder)


def _cost(row: ModelRow) -> dict[str, str]:
    """Parameters, multiply-adds and time, in words."""
    from rgbdsod.models.cost import network_cost

    cost = network_cost(row)
    threads = f"{cost.threads} thread{'s' if cost.threads > 1 else ''}"
    return {
        "parameters": f"{cost.parameters / 1e6:.2f} million",
        "multiply-adds": f"{cost.macs / 1e9:.2f} billion for an image of {row.size[0]}x{row.size[1]}",
        "time": "" if cost.seconds is None else
                f"{cost.seconds:.2g} s forward and backward, one image, CPU, {threads}",
    }  # fmt: skip


def _attack(row: AttackRow, parameters: bool) -> Info:
    own = {}
    if parameters:
        own = {name: None if value is Parameter.empty else value for name, value in row.parameters().items()}
    facts = {
        "paper": row.paper,
        "arXiv": row.arxiv and f"https://arxiv.org/abs/{row.arxiv}",
        "passes": row.passes,
        "sees": KNOWLEDGE[row.knowledge],
        "looks for": AIMS[row.aim],
        "attacks": "class scores only" if row.outputs == "classes" else "maps only" if row.outputs == "maps" else "",
        "norms": ", ".join(row.norms),
    }
    return Info("attack", row.name, row.summary, _known(facts), own, {name: row.range_of(name) for name in own})


def _objective(row: ObjectiveRow, parameters: bool) -> Info:
    return Info("objective", row.name, row.summary, _known({"source": row.source, "ranked by": row.track}))


def _dataset(row: KnownSet, parameters: bool) -> Info:
    count = f"{row.images} images" if row.images else "any number of images"
    facts = {
        "also called": ", ".join(row.aliases),
        "objects": row.objects,
        "sizes": row.sizes,
        "depth": row.depth_source,
        "near": row.near or "differs between copies",
        "splits": ", ".join(f"{name} {images}" for name, images in row.splits.items()),
        "licence": row.licence,
    }
    where = row.venue if row.built_in else f"{row.venue} {row.year}, pass its folder"
    return Info("dataset", row.name, f"{count}, {row.kind or 'RGB-D'}; {where}", _known(facts))


def _metric(row: Metric, parameters: bool) -> Info:
    facts = {
        "title": row.title,
        "of": row.kind,
        "better": "up" if row.higher_is_better else "down",
        "range": f"{row.bounds[0]:g} to {row.bounds[1]:g}",
        "source": row.source,
    }
    return Info("metric", row.name, row.definition, _known(facts))


def _method(row: MethodRow, parameters: bool) -> Info:
    """A way to harden a dual encoder."""
    own = {field.name: field.default for field in fields(row.load())} if parameters else {}
    facts = {
        "paper": row.paper or "none",
        "arXiv": row.arxiv and f"https://arxiv.org/abs/{row.arxiv}",
        "passes": f"{row.passes} (forward, to the weights, to the images; T steps of the inner attack)",
        "needs": ", ".join(name for name in ("tokens", "text", "labels") if getattr(row, name)),
        "kept of the original": row.reference,
        "presets": ", ".join(preset.name for preset in TUNING_PRESETS if preset.method == row.name),
    }
    return Info("method", row.name, row.summary, _known(facts), own)


def _preset(row: TuningPreset, parameters: bool) -> Info:
    """Complete settings of a hardening."""
    attack = row.attack
    betas = f", betas {row.betas[0]:g} and {row.betas[1]:g}" if row.optimizer == "adamw" else ""
    facts = {
        "method": row.method,
        "method's settings": ", ".join(f"{name} {value}" for name, value in row.settings.items()),
        "attack": f"{attack.norm} {_levels(attack.eps)}, {attack.steps} steps of {_levels(attack.step_size)}",
        "data": row.dataset,
        "model": row.model,
        "optimizer": f"{row.optimizer} at {row.lr:g}, weight decay {row.weight_decay:g}{betas}",
        "batch": row.batch,
        "length": f"{row.steps} updates" if row.epochs is None else f"{row.epochs} epochs",
        "schedule": f"{row.schedule}, {row.warmup} updates of warm-up{', late' if row.late_schedule else ''}",
        "normalization": row.normalization,
        "prompts": f"{row.prompts}: {row.template}",
        "attack space": row.attack_space,
    }
    return Info("preset", row.name, f"{row.method}: {row.summary}", _known(facts))


def _levels(size: float | None) -> str:
    """A radius or a step in grey levels."""
    return "the norm's own size" if size is None else f"{size * 255:.3g}/255"


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}

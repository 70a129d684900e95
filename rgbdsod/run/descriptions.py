"""What is known about one row of any table, in words. Nothing here imports torch before it is asked for parameters."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from inspect import Parameter
from typing import Any

from rgbdsod.attacks.rows import AttackRow
from rgbdsod.attacks.table import ObjectiveRow
from rgbdsod.datasets.known import KnownSet
from rgbdsod.defenses.filters.table import DefenseRow
from rgbdsod.defenses.patch.table import PatchDefenseRow
from rgbdsod.defenses.training.table import MapHardeningRow
from rgbdsod.defenses.zero_shot.presets import TUNING_PRESETS, TuningPreset
from rgbdsod.defenses.zero_shot.table import MethodRow
from rgbdsod.metrics.table import Metric
from rgbdsod.models.detectors.table import DetectorRow
from rgbdsod.models.fusions import known_fusions
from rgbdsod.models.table import ModelRow

KNOWLEDGE = {
    "white": "gradients",
    "score": "scores: the model's outputs",
    "decision": "decisions: whether its aim is reached",
    "none": "nothing of the model",
}
"""What an attack sees of the model."""

AIMS = {"strongest": "the highest loss within the radius", "nearest": "the smallest change that fools"}


DETECTOR_FAMILIES = {
    "fcos": "FCOS, one stage",
    "retinanet": "RetinaNet, one stage",
    "ssd": "SSD, one stage",
    "rcnn": "R-CNN, two stages",
    "decoded": "a decoder of its own",
}
"""How a detector is asked."""

PATCH_DEFENSE_KINDS = {
    "filter": "changes all pixels",
    "localiser": "looks for the patch and replaces it",
    "switch": "drops an input that it takes for attacked",
    "clipping": "changes the model, not the image",
    "reference": "is a row of comparison",
}
"""What a defence against patches does."""


@dataclass(frozen=True)
class Info:
    """One thing that has a name.

    Args:
        kind: "model", "attack", "objective", "dataset", "metric", "method", "preset", "detector",
            "patch-defense" or "hardening".
        name: what a user types.
        summary: one line.
        facts: what is known about it, by name.
        parameters: its own settings with their defaults.
        ranges: what they may be, in words.
    """

    kind: str
    name: str
    summary: str
    facts: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, str] = field(default_factory=dict)


def described(row: Any, *, parameters: bool) -> Info:
    """A row of any table.

    Args:
        row: of a kind that is listed.
        parameters: whether to load what its parameters and costs are read from, which may need torch.
    """
    kinds: dict[type, Callable[[Any, bool], Info]] = {
        ModelRow: _model, AttackRow: _attack, ObjectiveRow: _objective, KnownSet: _dataset, Metric: _metric,
        MethodRow: _method, TuningPreset: _preset, DetectorRow: _detector, PatchDefenseRow: _patch_defense,
        DefenseRow: _defense,
        MapHardeningRow: _hardening,
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


def _shapes(row: ModelRow) -> dict[str, str]:
    """What arrives at each stage of a model, in words."""
    from rgbdsod.models.meetings import stage_shapes

    return {
        f"stage {stage}": ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in arriving.items())
        for stage, arriving in stage_shapes(row).items()
    }


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


def _detector(row: DetectorRow, parameters: bool) -> Info:
    facts = {
        "family": DETECTOR_FAMILIES[row.family],
        "parameters": f"{row.parameters:g} million",
        "weights": f"built in, {row.weights}" if row.weights else "of a local file; nothing is downloaded",
        "size": "can be chosen" if row.sizable else "its own",
        "attacked by": "" if row.learns_from_empty else "all objectives but vanish-empty, whose loss is always 0 here",
        "source": row.source and f"https://arxiv.org/abs/{row.source}",
    }
    return Info("detector", row.name, row.summary, _known(facts))


def _patch_defense(row: PatchDefenseRow, parameters: bool) -> Info:
    own = {}
    if parameters:
        given = {field.name: field.default for field in fields(row.load()) if field.init}
        own = {name: value for name, value in given.items() if isinstance(value, (int, float, str))}
    facts = {
        "paper": row.paper,
        "arXiv": row.arxiv and f"https://arxiv.org/abs/{row.arxiv}",
        "does": PATCH_DEFENSE_KINDS[row.kind],
        "passes": row.passes,
        "attacked knowingly by": row.aware,
        "weights": "trained, in the package" if row.trained else "",
        "needs": row.needs,
    }
    return Info("patch-defense", row.name, row.summary, _known(facts), own)


def _hardening(row: MapHardeningRow, parameters: bool) -> Info:
    """A way to train a network on attacked inputs."""
    found = {field.name: field.default for field in fields(row.load())} if parameters else {}  # type: ignore[arg-type]
    own = {name: found[name] for name in row.settings if found.get(name) is not None}
    facts = {
        "paper": row.paper,
        "arXiv": f"https://arxiv.org/abs/{row.arxiv}",
        "passes": f"{row.passes} in a step, k steps of the attack included",
        "flags": ", ".join(f"--{name.replace('_', '-')}" for name in row.settings),
    }
    return Info("hardening", row.name, row.summary, facts, own)


def _defense(row: DefenseRow, parameters: bool) -> Info:
    own = {}
    if parameters:
        from rgbdsod.defenses.filters.compose import settings_of

        own = {setting.name: setting.default for setting in settings_of(row.name)}
    facts = {
        "paper": row.paper,
        "arXiv": row.arxiv and f"https://arxiv.org/abs/{row.arxiv}",
        "does": PATCH_DEFENSE_KINDS[row.kind],
        "reads": row.reads,
        "changes": row.changes,
        "passes": row.passes,
        "gradient": row.differentiable,
        "random": "each call draws anew" if row.random else "",
        "attacked knowingly by": row.aware,
        "needs": row.needs,
        "typed": f"--defense {row.name}, or in a chain such as {'median+' if row.kind == 'switch' else ''}{row.name}"
        + ("" if row.kind == "switch" else "+detect"),
    }
    return Info("defense", row.name, row.summary, _known(facts), own)


def _levels(size: float | None) -> str:
    """A radius or a step in grey levels."""
    return "the norm's own size" if size is None else f"{size * 255:.3g}/255"


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}

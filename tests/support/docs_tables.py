"""Tables of the documentation that repeat what the code says, between `<!-- table: NAME -->` and `<!-- end -->`.

`python tests/support/docs_tables.py` writes them anew; `tests/test_docs.py` compares.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from inspect import Parameter
from pathlib import Path
from typing import Any

import torch

from rgbdsod.attacks.rows import AttackRow
from rgbdsod.attacks.table import ATTACKS, CLASS_OBJECTIVES, MAP_OBJECTIVES, ObjectiveRow
from rgbdsod.datasets.known import DATASETS, KnownSet
from rgbdsod.defenses import METHODS, PATCH_DEFENSES, TUNING_PRESETS, MethodRow, PatchDefenseRow, TuningPreset
from rgbdsod.fusion import OPERATORS, PRESETS, FusionSpec, OperatorRow
from rgbdsod.models.cost import network_cost
from rgbdsod.models.detectors.table import DETECTORS, DetectorRow
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.table import MODELS, REFERENCES, STAGES, ModelRow
from rgbdsod.models.zoo import row_of
from rgbdsod.run.descriptions import DETECTOR_FAMILIES
from rgbdsod.run.recipes import RECIPES, Recipe

_FAMILIES = {
    "gradient": "Up the gradient, within a radius",
    "transfer": "Made to fool other models",
    "saliency": "Published for saliency maps",
    "patch": "Patches",
    "minimum": "The smallest change",
    "sparse": "Few values, by saliency maps",
    "blackbox": "Scores or decisions only",
    "sensor": "What a depth sensor could suffer",
    "generative": "Trained generators",
    "suites": "Several attacks together",
    "baseline": "What every attack must beat",
}

ENCODERS = ("resnet18", "resnet34", "resnet50")

DOCS = Path(__file__).resolve().parents[2] / "docs"
_PLACE = re.compile(r"(?<=<!-- table: )(?P<name>[a-z-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
_SCHEDULES = {"constant": "constant", "cosine": "cosine to 0", "step": "x0.1 at 30, 60, 90 % of the training"}


def filled(text: str) -> str:
    """A page with all of its tables as the code has them now."""
    return _PLACE.sub(lambda found: f"{found['name']}{found[2]}\n{TABLES[found['name']]()}\n\n", text)


def attacks() -> str:
    families: dict[str, list[AttackRow]] = {}
    for row in ATTACKS:
        families.setdefault(row.function.split(".")[2].partition(":")[0], []).append(row)
    blocks = []
    for family in sorted(families, key=list(_FAMILIES).index):
        head = ("attack", "what it does", "own parameters", "sees", "norms", "passes", "paper")
        blocks += [f"## {_FAMILIES[family]}", _table(head, map(_attack, families[family]))]
    return "\n\n".join(blocks)


def _attack(row: AttackRow) -> Sequence[str]:
    parameters = ", ".join(f"`{name}={_value(value)}`" for name, value in row.parameters().items())
    sees = {"white": "gradients", "score": "scores", "decision": "decisions", "none": "nothing"}[row.knowledge]
    paper = _arxiv(row.arxiv, row.paper.split(",")[0])
    return f"`{row.name}`", row.summary, parameters or "none", sees, " ".join(row.norms), row.passes, paper


def map_objectives() -> str:
    return _table(("objective", "what it rewards", "points ranked by", "source"), map(_objective, MAP_OBJECTIVES))


def class_objectives() -> str:
    return _table(("objective", "what it rewards", "points ranked by", "source"), map(_objective, CLASS_OBJECTIVES))


def _objective(row: ObjectiveRow) -> Sequence[str]:
    ranked = f"`{row.track}`" if row.track else "itself"
    return f"`{row.name}`", row.summary, ranked, _arxiv(row.source, row.source)


def models() -> str:
    head = ("name", "fusion", "works at", "multiples of", "parameters", "near is", "paper")
    return _table(head, (_model(row) for row in MODELS if not _is_long_form(row)))


def _is_long_form(row: ModelRow) -> bool:
    """`bbsnet.demo`, which is shown as `bbsnet`."""
    return any(other.canonical == row.name for other in MODELS)


def _model(row: ModelRow) -> Sequence[str]:
    size = f"{row.size[0]} x {row.size[1]}"
    paper = f"{row.paper.venue}, {_arxiv(row.paper.arxiv, row.paper.arxiv)}"
    near = row.inputs["depth"].near
    return f"`{row.name}`", row.fusion, size, str(row.multiple), f"{_parameters(row) / 1e6:.2f} M", near, paper


def _parameters(row: ModelRow) -> int:
    """Numbers in the network, which is built without memory."""
    module, _, function = row.builder.partition(":")
    with torch.device("meta"):
        network = getattr(import_module(module), function)(**row.options)
    return sum(parameter.numel() for parameter in network.parameters())


def fusions() -> str:
    head = ("fusion", "kind", "levels", "inputs", *ENCODERS)
    return _table(head, (_fusion(name, spec) for name, spec in PRESETS.items()))


def _fusion(name: str, spec: FusionSpec) -> Sequence[str]:
    levels = ", ".join(map(str, spec.levels)) or "none"
    sizes = (f"{_parameters(with_fusion(row_of('unet', None, encoder), name)) / 1e6:.2f}" for encoder in ENCODERS)
    return f"`{name}`", spec.kind, levels, ", ".join(spec.inputs), *sizes


def stages() -> str:
    head = ("network", *STAGES, *(f"{name} alone" for name in REFERENCES))
    return _table(head, (_costs(MODELS[name]) for name in ("bbsnet", "jldcf", "d3net", "bbsnet.paper", "jldcf.paper",
                                                           "d3net.paper")))  # fmt: skip


def _costs(row: ModelRow) -> Sequence[str]:
    """Parameters and multiply-adds of a network with each fusion, and with one input alone."""
    costs = (network_cost(with_fusion(row, fusion), timed=False) for fusion in (*STAGES, *REFERENCES))
    return f"`{row.name}`", *(f"{cost.parameters / 1e6:.2f} M, {cost.macs / 1e9:.2f} G" for cost in costs)


def operators() -> str:
    return _table(("operator", "result", "levels", "source"), map(_operator, OPERATORS))


def _operator(row: OperatorRow) -> Sequence[str]:
    return f"`{row.name}`", row.summary, ", ".join(map(str, row.levels)), row.source


def figures() -> str:
    head = ("network", "file", "S", "MAE", "S, other RGB", "S, other depth", "S, photographs", "MAE, photographs")
    return _table(head, (_figures(row) for row in MODELS if not _is_long_form(row) and row.record.get("figures")))


def _figures(row: ModelRow) -> Sequence[str]:
    found = row.record["figures"]
    clean, real = found["clean"], found["real photographs"]
    swapped = (found[f"{name} swapped"]["sm"] for name in ("rgb", "depth"))
    numbers = (clean["sm"], clean["mae"], *swapped, real["sm"], real["mae"])
    return f"`{row.name}`", f"{row.record['bytes'] / 1e6:.1f} MB", *(f"{value:.3f}" for value in numbers)


def catalogue() -> str:
    head = ("set", "images", "published", "shows", "width x height", "depth from", "splits in use")
    return _table(head, (_known(row) for row in DATASETS if not row.built_in))


def _known(row: KnownSet) -> Sequence[str]:
    name = f"{row.name} ({', '.join(row.aliases)})" if row.aliases else row.name
    splits = ", ".join(f"{split} {images}" for split, images in row.splits.items())
    published = row.venue if row.venue.startswith("arXiv") else f"{row.venue} {row.year}"
    return name, str(row.images), published, row.kind, row.sizes, row.depth_source, splits


def methods() -> str:
    return _table(("method", "what it does", "passes", "kept of the original", "paper"), map(_method, METHODS))


def _method(row: MethodRow) -> Sequence[str]:
    return f"`{row.name}`", row.summary, row.passes, row.reference, _arxiv(row.arxiv, row.paper)


def tuning_presets() -> str:
    head = ("preset", "inner attack", "optimiser", "rate", "batch", "length", "remarks")
    return _table(head, map(_tuning_preset, TUNING_PRESETS))


def _tuning_preset(row: TuningPreset) -> Sequence[str]:
    attack = f"{row.attack.eps * 255:g}/255, {row.attack.steps} steps"
    length = f"{row.steps} updates" if row.epochs is None else f"{row.epochs} epochs"
    return f"`{row.name}`", attack, row.optimizer, f"{row.lr:g}", str(row.batch), length, row.summary


def recipes() -> str:
    head = ("recipe", "optimiser", "highest rate", "schedule", "weight decay", "batch", "remarks", "source")
    return _table(head, map(_recipe, RECIPES))


def _recipe(row: Recipe) -> Sequence[str]:
    optimiser = f"{row.optimizer}, betas {row.betas[0]:g} and {row.betas[1]:g}"
    remarks = [f"gradients clamped to {row.clip:g}"] if row.clip else []
    remarks += ["BatchNorm keeps its statistics"] if row.frozen_norm else []
    remarks += [f"rate grows over the first {row.warmup:.0%}"] if row.warmup else []
    numbers = (f"{row.lr:g}", _SCHEDULES[row.schedule], f"{row.weight_decay:g}", str(row.batch))
    return f"`{row.name}`", optimiser, *numbers, "; ".join(remarks), row.source


def detectors() -> str:
    return _table(("name", "what", "asked as", "parameters", "weights", "paper"), map(_detector, DETECTORS))


def _detector(row: DetectorRow) -> Sequence[str]:
    weights = "in the package" if row.weights else "a local file"
    facts = (DETECTOR_FAMILIES[row.family], f"{row.parameters:g} M", weights)
    return f"`{row.name}`", row.summary, *facts, _arxiv(row.source, row.source)


def patch_defenses() -> str:
    head = ("defence", "what it does", "kind", "passes", "attacked knowingly by", "needs", "paper")
    return _table(head, map(_patch_defense, PATCH_DEFENSES))


def _patch_defense(row: PatchDefenseRow) -> Sequence[str]:
    return f"`{row.name}`", row.summary, row.kind, row.passes, row.aware, row.needs, _arxiv(row.arxiv, row.paper)


TABLES: dict[str, Callable[[], str]] = {
    "attacks": attacks,
    "map-objectives": map_objectives,
    "class-objectives": class_objectives,
    "models": models,
    "fusions": fusions,
    "stages": stages,
    "operators": operators,
    "figures": figures,
    "catalogue": catalogue,
    "methods": methods,
    "tuning-presets": tuning_presets,
    "recipes": recipes,
    "detectors": detectors,
    "patch-defenses": patch_defenses,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines)


def _arxiv(number: str, text: str) -> str:
    return f"[{text}](https://arxiv.org/abs/{number})" if number else text


def _value(value: Any) -> str:
    return "(required)" if value is Parameter.empty else f'"{value}"' if isinstance(value, str) else str(value)


def main() -> None:
    """Write all tables anew."""
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

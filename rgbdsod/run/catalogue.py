"""What there is, by name: models, attacks, data sets, measures. Lists import no torch."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from rgbdsod.attacks.table import ATTACKS, MAP_OBJECTIVES
from rgbdsod.datasets.known import DATASETS
from rgbdsod.defenses.filters.table import DEFENSES
from rgbdsod.defenses.patch.table import PATCH_DEFENSES
from rgbdsod.defenses.training.table import MAP_HARDENINGS
from rgbdsod.defenses.zero_shot.presets import TUNING_PRESETS
from rgbdsod.defenses.zero_shot.table import METHODS
from rgbdsod.errors import UsageError
from rgbdsod.metrics.table import METRICS
from rgbdsod.models.detectors.table import DETECTORS
from rgbdsod.models.table import MODELS, ModelRow
from rgbdsod.registry import Table
from rgbdsod.run.descriptions import Info, described

TABLES: Mapping[str, Table[Any]] = {
    "models": MODELS,
    "attacks": ATTACKS,
    "objectives": MAP_OBJECTIVES,
    "datasets": DATASETS,
    "metrics": METRICS,
    "methods": METHODS,
    "presets": TUNING_PRESETS,
    "detectors": DETECTORS,
    "defenses": DEFENSES,
    "patch-defenses": PATCH_DEFENSES,
    "hardenings": MAP_HARDENINGS,
}


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
    return [described(row, parameters=False) for row in TABLES[kind] if row.name in TABLES[kind].names(pattern)]


def info(name: str, *, fusion: str | None = None, encoder: str | None = None) -> Info:
    """Everything known about a name.

    Args:
        name: of a model, an attack, an objective, a data set, a measure, a method or preset of `clip train`, a
            detector, or a defence; where a defence of inputs is one against patches too, it is the same.
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
            return described(_variant(name, fusion, encoder), parameters=True)
        if fusion or encoder:
            raise UsageError(f'"{name}" is no model; leave out --fusion and --encoder')
        return described(row, parameters=True)
    every = [known for table in TABLES.values() for known in table.names()]
    close = get_close_matches(name, every, n=1, cutoff=0.5)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise UsageError(f'nothing is called "{name}"{hint} (rgbdsod list)')


def _stages(row: ModelRow) -> Info:
    """Where the streams of a model meet."""
    from rgbdsod.models.meetings import stage_names

    return Info("stage", row.name, f"{', '.join(stage_names(row))} ({row.fusion})")


def _variant(name: str, fusion: str | None, encoder: str | None) -> ModelRow:
    """The row of a model, with another fusion or encoder."""
    from rgbdsod.models.zoo import row_of

    return row_of(name, fusion, encoder)

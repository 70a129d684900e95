"""The folder of an ablation with made-up numbers: a seeded generator, and intervals that belong to the means."""

import json
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from report_runs import DEMO_NOTE

MODELS = ("bbsnet", "jldcf")
FUSIONS = ("rgb", "depth", "early", "feature", "multistage")
TRAININGS = ("plain", "itc")
ATTACKS = ("pgd", "cospgd")
RADII = (2 / 255, 4 / 255, 8 / 255)
MEASURES = ("sm", "fm_max", "em_max", "mae", "iou_bin")

Place = tuple[str, str, float]
"""Attack, modality, eps."""


def write_ablation(folder: Path, **options: Any) -> Path:
    """A finished run of `rgbdsod ablate` with `ablation_document(**options)` in it."""
    document = ablation_document(**options)
    record = {
        "schema": "rgbdsod.run/1",
        "status": "finished",
        "command": "ablate",
        "arguments": "rgbdsod ablate --models bbsnet,jldcf",
        "settings": document["settings"],
        "data": {**document["data"], "convention": "near is bright", "warnings": []},
        "seed": 0,
        "dtype": "float32",
        "versions": {"rgbdsod": "0.1.0"},
        "device": {"name": "cpu", "description": "two cores"},
        "start": "2026-01-02T03:04:05+00:00",
        "end": "2026-01-02T04:04:05+00:00",
        "seconds": 3600.0,
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.toml").write_text('models = ["bbsnet", "jldcf"]\n')
    (folder / "log.jsonl").write_text('{"event": "start"}\n')
    (folder / "ablation.json").write_text(json.dumps(document))
    return folder


def ablation_document(
    *,
    models: Sequence[str] = MODELS,
    fusions: Sequence[str] = FUSIONS,
    trainings: Sequence[str] = TRAININGS,
    seeds: int = 2,
    attacks: Sequence[str] = ATTACKS,
    radii: Sequence[float] = RADII,
    transfer: bool = True,
    images: int = 24,
    note: str | None = DEMO_NOTE,
) -> dict[str, Any]:
    """What `ablation.json` holds; the same arguments give the same numbers."""
    rng = np.random.default_rng(7)
    cells = [
        {"model": model, "fusion": fusion, "training": training, "seed": seed, **_values(place, fusion, rng)}
        for model, training, fusion in product(models, trainings, fusions)
        for seed in range(seeds)
        for place in _places(fusion, attacks, radii)
    ]
    table = _table(cells)
    return {
        "schema": "rgbdsod.ablation/1",
        "settings": {"steps": 20, "attacks": list(attacks), "size": [64, 64], "scenes": 64},
        "data": {"name": "scenes", "images": images, "fingerprint": "ab" * 32},
        "note": note,
        "measure": "sm",
        "variants": [_variant(cell) for cell in cells if cell["attack"] == "clean"],
        "cells": cells,
        "table": table,
        "derived": _derived(table),
        "transfer": _transfers(cells, fusions, attacks[0], radii[-1]) if transfer else [],
    }


def _places(fusion: str, attacks: Sequence[str], radii: Sequence[float]) -> list[Place]:
    """What is done to a design; a reference is attacked on its own input only."""
    inputs = [fusion] if fusion in ("rgb", "depth") else ["rgb", "depth", "both"]
    missing: list[Place] = [("missing", name, 0.0) for name in inputs if name != "both"] if len(inputs) > 1 else []
    return [("clean", "none", 0.0), *((a, m, e) for a in attacks for m in inputs for e in radii), *missing]


def _values(place: Place, fusion: str, rng: np.random.Generator) -> dict[str, Any]:
    attack, modality, eps = place
    share = {"none": 0.0, "rgb": 0.7, "depth": 0.3, "both": 1.2}[modality]
    strength = {"clean": 0.0, "missing": 0.3}.get(attack, 14 * eps * (1.2 if attack == "cospgd" else 1.0))
    level = 0.88 - 0.02 * (len(fusion) % 3) - 0.7 * share * strength + 0.01 * rng.standard_normal()
    sm = float(np.clip(level, 0.05, 0.99))
    head = {"attack": attack, "modality": modality, "eps": eps}
    values = {"sm": sm, "fm_max": sm - 0.04, "em_max": sm + 0.03, "mae": (1 - sm) / 2, "iou_bin": sm - 0.1}
    return head | values | {"fooled": None if attack in ("clean", "missing") else int(20 * (1 - sm))}


def _variant(cell: dict[str, Any]) -> dict[str, Any]:
    key = f"{cell['model']}-{cell['fusion']}-{cell['training']}-{cell['seed']}"
    own = {name: cell[name] for name in ("model", "fusion", "training", "seed")}
    digest = f"{sum(map(ord, key)):08x}" * 8
    return own | {"key": key, "parameters": 440000, "sha256": digest, "clean": {name: cell[name] for name in MEASURES}}


def _table(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[float]] = {}
    for cell in cells:
        key = tuple(cell[name] for name in ("model", "fusion", "training", "attack", "modality", "eps"))
        groups.setdefault(key, []).append(cell["sm"])
    return [_mean(key, values) for key, values in groups.items()]


def _mean(key: tuple[Any, ...], values: list[float]) -> dict[str, Any]:
    mean = float(np.mean(values))
    ends = {"low": mean - 0.021, "high": mean + 0.019}
    return _named(key) | {"measure": "sm", "mean": mean, **ends, "seeds": values}


def _named(key: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("model", "fusion", "training", "attack", "modality", "eps"), key, strict=True))


def _derived(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    means = {
        (own["model"], own["fusion"], own["training"], own["attack"], own["modality"], own["eps"]): own["mean"]
        for own in table
    }
    found: list[dict[str, Any]] = []

    def add(kind: str, key: tuple[Any, ...], value: float, against: str | None = None, width: float = 0.03) -> None:
        ends = {"low": value - width, "high": value + width}
        found.append({"kind": kind, **_named(key), "against": against, "value": value, **ends})

    for key, value in means.items():
        model, fusion, training, attack, modality, eps = key
        if attack == "clean":
            continue
        clean = means[model, fusion, training, "clean", "none", 0.0]
        add("relative_drop", key, (clean - value) / clean)
        if modality in ("rgb", "depth") and (other := {"rgb": "depth", "depth": "rgb"}[modality]):
            beside = means.get((model, fusion, training, attack, other, eps))
            if beside is not None:
                share = (clean - value) / (2 * clean - value - beside)
                add("reliance_missing" if attack == "missing" else "reliance", key, share, width=0.1)
        if modality == "both":
            single = [means[model, fusion, training, attack, name, eps] for name in ("rgb", "depth")]
            add("interaction", key, (clean - value) - sum(clean - own for own in single))
        reference = means.get((model, "rgb", training, attack, "rgb", eps))
        if modality == "rgb" and fusion != "rgb" and reference is not None and attack != "missing":
            add("gap_to_rgb", key, value - reference, "rgb")
        if training != "plain" and (plain := means.get((model, fusion, "plain", attack, modality, eps))) is not None:
            add("externality", key, value - plain, "plain")
    designs = [name for name in dict.fromkeys(key[1] for key in means) if name not in ("rgb", "depth")]
    for first, second in combinations(designs, 2):
        for key, value in means.items():
            if key[1] == first and key[3] != "clean":
                add("difference", key, value - means[key[0], second, *key[2:]], second)
    return found


def _transfers(
    cells: Sequence[dict[str, Any]], fusions: Sequence[str], attack: str, eps: float
) -> list[dict[str, Any]]:
    sources = [name for name in fusions if name not in ("rgb", "depth")]
    clean = {(c["model"], c["training"], c["seed"], c["fusion"]): c["sm"] for c in cells if c["attack"] == "clean"}
    found = []
    for (model, training, seed, target), sm in clean.items():
        if training != "plain" or target not in sources:
            continue
        for source, modality in product(sources, ("rgb", "depth", "both")):
            distance = abs(sources.index(source) - sources.index(target))
            change = -0.4 / (1 + 2 * distance) + 0.01 * seed - 0.1 * (modality == "both")
            head = {
                "model": model,
                "training": training,
                "attack": "pgd",
                "modality": modality,
                "eps": eps,
                "seed": seed,
            }
            found.append(head | {"source": source, "target": target, "sm": sm + change, "change": change})
    return found

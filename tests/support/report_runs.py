"""Run folders as `rgbdsod.run` writes them (docs/run-folder.md), with made-up numbers that are easy to recognise."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

METRICS = {
    "mae": ("MAE", "down"),
    "sm": ("Sm", "up"),
    "wfm": ("wF", "up"),
    "em_adp": ("adpE", "up"),
    "em_mean": ("meanE", "up"),
    "em_max": ("maxE", "up"),
    "fm_adp": ("adpF", "up"),
    "fm_mean": ("meanF", "up"),
    "fm_max": ("maxF", "up"),
    "iou_bin": ("IoU", "up"),
    "ber_bin": ("BER", "down"),
}
DEMO_NOTE = "demo weights: not comparable with published numbers"


def write_attack(
    folder: Path,
    *,
    ids: Sequence[str] = ("one", "two", "three", "four"),
    eps: Sequence[float] = (8 / 255,),
    modality: str = "depth",
    pictures: int | None = None,
    size: tuple[int, int] = (24, 32),
    drop: float = 0.3,
    table: str = "csv",
    note: str | None = DEMO_NOTE,
    fingerprint: str = "f" * 64,
) -> Path:
    """A finished attack. Image k loses `drop * k / n` of each value at the last radius; the first is not fooled, the
    second failed before, the others are fooled."""
    inputs = ("rgb", "depth")
    attacked = inputs if modality == "both" else (modality,)
    rows = [_attack_row(k, ids, turn, eps, attacked, drop, size) for k in range(len(ids)) for turn in range(len(eps))]
    clean = {protocol: _set(0.9, protocol) for protocol in ("benchmark", "raw")}
    results = [_result(turn, eps, inputs, attacked, rows[turn :: len(eps)], drop) for turn in range(len(eps))]
    metrics = _head("attack", len(ids), note) | {
        "attack": "pgd",
        "modality": modality,
        "clean": clean,
        "results": results,
        "worst": {**results[-1]["attacked"], "fooled": results[-1]["fooled"]},
    }
    settings = {"model": "bbsnet", "data": "demo", "attack": "pgd", "modality": modality, "steps": 20}
    _write(folder, "attack", settings, metrics, rows, table, note, len(ids), fingerprint)
    for k, name in enumerate(ids[:pictures]):
        write_pictures(folder, name, k, size, attacked=attacked, depth16=k % 2 == 1, eps=eps[-1])
    return folder


def write_evaluation(folder: Path, *, ids: Sequence[str] = ("one", "two"), size: tuple[int, int] = (24, 32)) -> Path:
    """A finished evaluation."""
    rows = [
        {"id": name, "height": size[0], "width": size[1], **_columns("clean", 0.9 - 0.1 * k)}
        for k, name in enumerate(ids)
    ]
    metrics = _head("evaluate", len(ids), None) | {"clean": {p: _set(0.85, p) for p in ("benchmark", "raw")}}
    _write(folder, "evaluate", {"model": "bbsnet", "data": "demo"}, metrics, rows, "csv", None, len(ids), "f" * 64)
    for k, name in enumerate(ids):
        write_pictures(folder, name, k, size)
    return folder


def write_training(folder: Path, *, status: str = "finished", checks: int = 4) -> Path:
    """A training with its log."""
    record = _record("train", {"model": "bbsnet"}, None, 100, "f" * 64) | {"status": status}
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.toml").write_text('model = "bbsnet"\n')
    events: list[dict[str, Any]] = [{"event": "start"}]
    for k in range(1, 5 * checks + 1):
        events.append({"event": "train", "iteration": 10 * k, "loss": 3 / k, "lr": 1e-3 / k, "seconds": k})
        if k % 5 == 0:
            measures = {"mae": 0.5 / k, "sm": 0.9 - 1 / k, "em_max": 0.8, "fm_max": 0.7, "iou_bin": 0.6}
            events.append({"event": "validation", "iteration": 10 * k, **measures})
    (folder / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def write_pictures(
    folder: Path,
    name: str,
    seed: int,
    size: tuple[int, int],
    *,
    attacked: Sequence[str] = (),
    depth16: bool = False,
    eps: float = 8 / 255,
) -> None:
    """The pictures of one image; an attacked input moves by exactly eps at every pixel."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    disc = np.hypot(rows - height / 2, columns - width / 2) < min(size) / 3
    depth = (0.3 + 0.4 * disc + 0.1 * rows / height).astype(np.float64)
    rgb = np.clip(0.4 + 0.3 * disc[..., None] * rng.random(3) + 0.05 * rng.standard_normal((*size, 3)), 0.1, 0.9)
    top = 65535 if depth16 else 255
    pictures = {"rgb": _levels(rgb, 255), "depth": _levels(depth, top), "mask": _levels(disc, 255)}
    pictures["clean_map"] = _levels(cv2.GaussianBlur(disc.astype(np.float64), (0, 0), 2), 255)
    if attacked:
        pictures["attacked_map"] = _levels(cv2.GaussianBlur(disc.astype(np.float64), (0, 0), 6) * 0.6, 255)
        signs = rng.choice([-1.0, 1.0], (*size, 3))
        pictures["adv_rgb"] = _levels(rgb + eps * signs * ("rgb" in attacked), 255)
        pictures["adv_depth"] = _levels(depth + eps * signs[..., 0] * ("depth" in attacked), top)
    (folder / "images" / name).mkdir(parents=True, exist_ok=True)
    for kind, picture in pictures.items():
        stored = picture[..., ::-1] if picture.ndim == 3 else picture
        assert cv2.imwrite(str(folder / "images" / name / f"{kind}.png"), np.ascontiguousarray(stored))


def _levels(values: np.ndarray, top: int) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * top).astype(np.uint8 if top == 255 else np.uint16)


def _write(
    folder: Path,
    command: str,
    settings: dict[str, Any],
    metrics: dict[str, Any],
    rows: list[dict[str, Any]],
    table: str,
    note: str | None,
    images: int,
    fingerprint: str,
) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(_record(command, settings, note, images, fingerprint)))
    (folder / "config.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "log.jsonl").write_text('{"event": "start"}\n{"event": "finish"}\n')
    if table == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), folder / "samples.parquet")
        return
    with (folder / "samples.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _record(command: str, settings: dict[str, Any], note: str | None, images: int, fingerprint: str) -> dict[str, Any]:
    model = {"name": "bbsnet", "architecture": "bbsnet", "source": "built in", "sha256": "3f2a91c0" * 8}
    model |= {"parameters": 1234567, "fusion": "multistage", "licence": "MIT", "size": [96, 96], "note": note}
    data = {"name": "demo", "images": images, "fingerprint": fingerprint}
    return {
        "schema": "rgbdsod.run/1",
        "status": "finished",
        "command": command,
        "arguments": f"rgbdsod {command} --model bbsnet",
        "settings": settings,
        "model": model,
        "data": data | {"convention": "near is bright", "warnings": []},
        "seed": 0,
        "dtype": "float32",
        "versions": {"rgbdsod": "0.1.0", "python": "3.12.0", "torch": "2.11.0"},
        "device": {"name": "cpu", "description": "two cores"},
        "start": "2026-01-02T03:04:05+00:00",
        "end": "2026-01-02T03:04:36+00:00",
        "seconds": 31.25,
    }


def _head(command: str, images: int, note: str | None) -> dict[str, Any]:
    return {
        "schema": "rgbdsod.metrics/1",
        "command": command,
        "model": "bbsnet",
        "data": "demo",
        "images": images,
        "note": note,
        "definitions": {
            name: {"title": title, "better": better, "text": f"definition of {title}", "source": "somewhere"}
            for name, (title, better) in METRICS.items()
        },
        "protocols": {"benchmark": "each map is stretched", "raw": "maps as the model gives them"},
    }


def _values(level: float) -> dict[str, float]:
    """All measures of a map of quality `level`."""
    return {name: level if better == "up" else 1 - level for name, (_, better) in METRICS.items()}


def _set(level: float, protocol: str) -> dict[str, Any]:
    level -= 0.02 * (protocol == "raw")
    line = np.linspace(0, 1, 256)
    falling = (level * (1 - line**4)).tolist()
    curves = {"precision": falling, "recall": line.tolist(), "fm": falling, "em": falling}
    return {"values": _values(level), "pooled": {"iou_bin": level}, "curves": curves}


def _columns(view: str, level: float) -> dict[str, float]:
    values = _values(level)
    raw = _values(level - 0.02)
    return {f"{view}_{name}": value for name, value in values.items()} | {
        f"{view}_{name}_raw": value for name, value in raw.items()
    }


def _attack_row(
    k: int,
    ids: Sequence[str],
    turn: int,
    eps: Sequence[float],
    attacked: Sequence[str],
    drop: float,
    size: tuple[int, int],
) -> dict[str, Any]:
    loss = drop * k / max(1, len(ids) - 1) * (turn + 1) / len(eps)
    radii = {name: eps[turn] if name in attacked else 0.0 for name in ("rgb", "depth")}
    distances = {"l2": 1.5, "l1": 60.0, "l0": 700.0, "psnr": 31.0, "ssim": 0.93}
    own = {
        f"{name}_{kind}": (value if name in attacked else 0.0)
        for name in radii
        for kind, value in {"linf": radii[name], **distances}.items()
    }
    return {
        "id": ids[k],
        "height": size[0],
        "width": size[1],
        "attack": "pgd",
        "modality": "both" if len(attacked) > 1 else attacked[0],
        "norm": "linf",
        **_columns("clean", 0.9),
        **{f"eps_{name}": value for name, value in radii.items()},
        "fooled": k > 0,
        "fooled_before": k == 1,
        "fooled_float": k > 0,
        "start_loss": 0.1,
        "loss": 0.5,
        **own,
        "forward": 21,
        "backward": 20,
        "queries": 0,
        "seconds": 0.5,
        **_columns("float", 0.9 - loss - 0.001),
        **_columns("attacked", 0.9 - loss),
    }


def _result(
    turn: int,
    eps: Sequence[float],
    inputs: Sequence[str],
    attacked: Sequence[str],
    rows: Sequence[dict[str, Any]],
    drop: float,
) -> dict[str, Any]:
    level = 0.9 - drop / 2 * (turn + 1) / len(eps)
    radii = {name: eps[turn] if name in attacked else 0.0 for name in inputs}
    return {
        "budget": {name: {"norm": "linf", "eps": radius, "measured": radius} for name, radius in radii.items()},
        "parameters": {"steps": 20, "step_size": 2 / 255, "restarts": 1, "random_start": True},
        "objective": "bce",
        "goal": "untargeted",
        "attacked": {p: _set(level, p) for p in ("benchmark", "raw")},
        "float": {p: _set(level - 0.001, p) for p in ("benchmark", "raw")},
        "change": {"sm": {"mean": level - 0.9, "low": level - 0.95, "high": level - 0.85}},
        "fooled": sum(row["fooled"] for row in rows),
        "fooled_before": sum(row["fooled_before"] for row in rows),
        "fooled_float": sum(row["fooled_float"] for row in rows),
        "success": "iou<0.5",
        "perturbation": {
            name: {"linf": radii[name], "l2": 1.5, "l1": 60.0, "l0": 700.0, "psnr": 31.0, "ssim": 0.93}
            for name in attacked
        },
        "passes": {"forward": 21.0, "backward": 20.0},
    }

"""From rows per image to a line for each set and attack, averages over the sets, and what is suspicious."""

from collections.abc import Sequence
from typing import Any

from rgbdsod.run.clip.accuracy import wilson
from rgbdsod.run.clip.attacks import STEPS, find_attack
from rgbdsod.run.clip.images import TUNED_ON, is_whole_collection
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.threats import show_eps

Row = dict[str, Any]

LARGEST_GAP = 0.03
"""Between PGD and aa-fast; more says that PGD is too weak here."""

MOST_ZEROS = 0.01
"""Share of exact zeros in the first gradient; more says that the attack is blind on part of the image."""

_CLEAN = "clean"


def collect(
    samples: Sequence[Row], sets: Sequence[Row], chosen: ZeroShotSettings, notes: Sequence[str]
) -> dict[str, Any]:
    """The content of metrics.json.

    Args:
        samples: one row for each image, radius and point of a path of weights.
        sets: name, split, classes and images of each set.
        chosen: settings of the run.
        notes: what to know about model and data.
    """
    rows = [row for data in sets for row in _lines(samples, data, chosen)]
    gaps = _gaps(rows)
    return {
        "rows": rows,
        "averages": _averages(rows),
        "gaps": gaps,
        "warnings": [*notes, *_suspicions(rows, gaps)],
    }


def _lines(samples: Sequence[Row], data: Row, chosen: ZeroShotSettings) -> list[Row]:
    """A line of one set for each point of the path, radius and attack."""
    own = [row for row in samples if row["data"] == data["name"]]
    found = []
    for share in chosen.path or (None,):
        for eps in chosen.eps:
            part = [row for row in own if row.get("share") == share and row["eps"] == eps]
            found += [_line(part, data, chosen, name, eps, share) for name in chosen.attacks or (_CLEAN,)]
    return found


def _line(part: Sequence[Row], data: Row, chosen: ZeroShotSettings, name: str, eps: float, share: float | None) -> Row:
    total, chance = len(part), 1 / data["classes"]
    clean = wilson(sum(row["prediction"] == row["label"] for row in part), total)
    row: Row = {
        "data": data["name"],
        "split": data["split"],
        "classes": data["classes"],
        "images": total,
        "share": share,
        "attack": None if name == _CLEAN else name,
        "attack_space": chosen.attack_space,
        "templates": chosen.templates,
        "precision": chosen.dtype,
        "clean": clean.value,
        "clean_low": clean.low,
        "clean_high": clean.high,
        "clean_right": clean.right,
        "chance": chance,
        "at_chance": clean.low <= chance,
    }
    return row if name == _CLEAN else row | _attacked(part, chosen, name, eps)


def _attacked(part: Sequence[Row], chosen: ZeroShotSettings, name: str, eps: float) -> Row:
    """What an attack left of a set."""
    attack, own = find_attack(name), [row for row in part if row[f"attacked_{name}"]]
    robust = wilson(sum(row[f"prediction_{name}"] == row["label"] for row in part), len(part))
    zeros = [row[f"zero_gradient_{name}"] for row in own if row[f"zero_gradient_{name}"] is not None]
    distances = sorted(row[f"distance_{name}"] for row in own if row[f"distance_{name}"] is not None)
    return {
        "norm": attack.norm,
        "eps": eps,
        "radius": part[0][f"radius_{name}"],
        "steps": None if name == "noise" else chosen.steps or STEPS,
        "verdict": chosen.verdict if attack.walks else "any",
        "as_released": chosen.as_released and attack.walks,
        "robust": robust.value,
        "robust_low": robust.low,
        "robust_high": robust.high,
        "robust_right": robust.right,
        "robust_float": sum(row[f"float_prediction_{name}"] == row["label"] for row in part) / len(part),
        "attacked": len(own),
        "broken": sum(row[f"broken_{name}"] for row in part),
        "zero_gradient": sum(zeros) / len(zeros) if zeros else None,
        "largest_change": max(row[f"size_{name}"] for row in part),
        "median_distance": distances[len(distances) // 2] if distances else None,
        "passes": sum(row[f"forward_{name}"] + row[f"backward_{name}"] for row in part) / max(1, len(own)),
    }


def _same(row: Row) -> tuple[Any, ...]:
    """What rows of different sets have in common that may be averaged."""
    return (row["share"], row.get("eps"), row["attack"])


def _averages(rows: Sequence[Row]) -> list[Row]:
    """Unweighted means over the sets, for each attack, radius and point of the path."""
    found: list[Row] = []
    for key in dict.fromkeys(map(_same, rows)):
        own = [row for row in rows if _same(row) == key]
        untuned = [row for row in own if row["data"] not in TUNED_ON]
        whole = is_whole_collection([row["data"] for row in own])
        groups = {"avg16" if whole else "mean": own, "avg15-zero-shot" if whole else "zero-shot mean": untuned}
        for name, members in groups.items():
            wanted = len(members) > 1 and (members is untuned or len(untuned) < len(own))
            found += [_average(name, key, members)] if wanted else []
    return found


def _average(name: str, key: tuple[Any, ...], rows: Sequence[Row]) -> Row:
    share, eps, attack = key
    robust = None if attack is None else sum(row["robust"] for row in rows) / len(rows)
    clean = sum(row["clean"] for row in rows) / len(rows)
    return {
        "name": name, "sets": len(rows), "share": share, "eps": eps, "attack": attack, "clean": clean, "robust": robust,
    }  # fmt: skip


def _gaps(rows: Sequence[Row]) -> list[Row]:
    """What PGD leaves standing beyond aa-fast, where both ran."""
    strong = {_place(row): row["robust"] for row in rows if row["attack"] == "aa-fast"}
    return [
        {"data": row["data"], "share": row["share"], "eps": row["eps"], "gap": row["robust"] - strong[_place(row)]}
        for row in rows
        if row["attack"] == "pgd" and _place(row) in strong
    ]


def _place(row: Row) -> tuple[Any, ...]:
    return (row["data"], row["share"], row["eps"])


def _suspicions(rows: Sequence[Row], gaps: Sequence[Row]) -> list[str]:
    """What speaks against a number."""
    found = [
        f"{_where(gap)}: pgd leaves {100 * gap['gap']:.1f} points more standing than aa-fast; believe aa-fast"
        for gap in gaps
        if gap["gap"] > LARGEST_GAP
    ]
    found += [
        f"{_where(row)}: {row['zero_gradient']:.1%} of the first gradient of {row['attack']} are exactly 0, so the "
        "attack is blind there; use --dtype float32 and compare with aa-standard"
        for row in rows
        if (row.get("zero_gradient") or 0.0) > MOST_ZEROS
    ]
    clean = {(row["data"], row["share"]): row for row in rows}
    found += [
        f"{_where(row)}: clean accuracy {row['clean']:.1%} is no better than chance ({row['chance']:.1%}), so its "
        "robust accuracy says nothing"
        for row in clean.values()
        if row["at_chance"]
    ]
    return found


def _where(row: Row) -> str:
    """A set, its radius, and the share of tuned weights on a path."""
    share = "" if row["share"] is None else f", share {row['share']:g}"
    return f"{row['data']}{share} at {show_eps(row['eps'])}" if row.get("eps") is not None else row["data"] + share

"""Tables as plain text, for the screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from rgbdsod.run.definitions import PROTOCOLS, REPORTED, SHOWN, better, title
from rgbdsod.run.threats import show_eps

_RULES = {"iou<0.5": "IoU below 0.5", "target-iou>=0.5": "IoU with the target of 0.5 or more"}


def attack_table(metrics: dict[str, Any], protocol: str = "benchmark") -> str:
    """Clean, attacked and change of the shown measures; with several eps a row for each.

    Args:
        metrics: content of an attack's metrics.json.
        protocol: "benchmark" or "raw".
    """
    results = metrics["results"]
    lines = _one_eps(metrics, results[0], protocol) if len(results) == 1 else _several_eps(metrics, protocol)
    lines += [line for result in results for line in _smallest(result, metrics)]
    if metrics.get("no_place"):
        lines.append(f"no place for a patch, left out of all columns: {', '.join(metrics['no_place'])}")
    lines += health_lines(metrics.get("health", []))
    if metrics["note"]:
        lines.append(metrics["note"])
    return "\n".join(lines)


def _smallest(result: dict[str, Any], metrics: dict[str, Any]) -> list[str]:
    """What an attack that looks for the smallest change found."""
    smallest = result.get("smallest")
    if smallest is None:
        return []
    norm = next(iter(result["budget"].values()))["norm"]
    size = "" if smallest["median"] is None else f", median {norm} {smallest['median']:.4g} before rounding"
    return [f"smallest change   found for {smallest['found']} of {metrics['images']}{size}"]


def health_lines(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for all checks that passed, and two for each that failed: what was found, and what to do."""
    failed = [check for check in checks if not check["passed"]]
    lines = [f"health  {len(checks) - len(failed)} of {len(checks)} checks passed"] if checks else []
    for check in failed:
        lines += [f"  FAILED  {check['name']}: {check['found']}", f"          {check['advice']}"]
    return lines


def evaluation_table(metrics: dict[str, Any], protocols: Sequence[str] = tuple(PROTOCOLS)) -> str:
    """All reported measures, one column a protocol.

    Args:
        metrics: content of an evaluation's metrics.json.
        protocols: the columns.
    """
    names = [name for name in REPORTED if name in metrics["clean"]["benchmark"]["values"]]
    rows = [
        [title(name), better(name), *(f"{metrics['clean'][p]['values'][name]:.3f}" for p in protocols)]
        for name in names
    ]
    lines = align([["", "", *protocols], *rows])
    if metrics["note"]:
        lines.append(metrics["note"])
    return "\n".join(lines)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


def success_text(rule: str) -> str:
    """A success rule in words."""
    return _RULES.get(rule, rule)


def _one_eps(metrics: dict[str, Any], result: dict[str, Any], protocol: str) -> list[str]:
    clean, attacked = metrics["clean"][protocol]["values"], result["attacked"][protocol]["values"]
    rows = [["", "", "clean", "attacked", "change"]]
    for name in SHOWN:
        change = attacked[name] - clean[name]
        rows.append([title(name), better(name), f"{clean[name]:.3f}", f"{attacked[name]:.3f}", f"{change:+.3f}"])
    rule = success_text(result["success"])
    return [
        *align(rows),
        f"fooled ({rule})   {result['fooled']} of {metrics['images']}   "
        f"(already so before the attack: {result['fooled_before']})",
    ]


def _several_eps(metrics: dict[str, Any], protocol: str) -> list[str]:
    titles = [title(name) for name in SHOWN]
    rows = [["eps", "", *titles, "fooled"]]
    clean = metrics["clean"][protocol]["values"]
    first = metrics["results"][0]
    rows.append(["clean", "", *(f"{clean[name]:.3f}" for name in SHOWN), str(first["fooled_before"])])
    for result in metrics["results"]:
        values = result["attacked"][protocol]["values"]
        rows.append([_radii(result), "", *(f"{values[name]:.3f}" for name in SHOWN), str(result["fooled"])])
    worst = metrics["worst"][protocol]["values"]
    rows.append(["worst of each image", "", *(f"{worst[name]:.3f}" for name in SHOWN), str(metrics["worst"]["fooled"])])
    return [*align(rows), f"fooled: {success_text(first['success'])}, of {metrics['images']} images"]


def _radii(result: dict[str, Any]) -> str:
    radii = {name: budget["eps"] for name, budget in result["budget"].items() if budget["eps"]}
    if len(set(radii.values())) == 1:
        return show_eps(next(iter(radii.values())))
    return ", ".join(f"{name} {show_eps(eps)}" for name, eps in radii.items()) or "0"

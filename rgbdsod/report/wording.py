"""Names and numbers as people write them."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.attacks.table import ATTACKS

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
INPUTS = {"rgb": "RGB", "depth": "depth", "hha": "HHA"}
SPOKEN = {"sm": "S-measure", "mae": "MAE", "fm_max": "max F", "wfm": "weighted F", "iou_bin": "IoU"}
"""Metrics outside tables, where there is room for a word."""

_NO_BOUND = 1e9  # what a run writes where an attack looks for the smallest change, however large
_ABBREVIATIONS = {"pgd", "fgsm", "rfgsm", "ifgsm", "bim", "mifgsm", "apgd"}
_SPELLINGS = {"cospgd": "CosPGD", "segpgd": "SegPGD"}


def show_eps(eps: float, norm: str = "linf") -> str:
    """A radius: "8/255" where it is whole levels of the L-infinity norm, else a short number; "any" without one."""
    if eps == _NO_BOUND:
        return "any"
    levels = eps * 255
    if norm == "linf" and 0 < eps <= 1 and abs(levels - round(levels)) < 1e-6:
        return f"{round(levels)}/255"
    return f"{eps:.4g}"


def show_radii(budget: Mapping[str, Mapping[str, Any]]) -> str:
    """The radii of a result: "8/255" where all attacked inputs share one, otherwise each by name."""
    radii = {name: show_eps(own["eps"], own["norm"]) for name, own in budget.items() if own["eps"]}
    if len(set(radii.values())) == 1:
        return next(iter(radii.values()))
    return ", ".join(f"{INPUTS.get(name, name)} {eps}" for name, eps in radii.items()) or "0"


def show_attack(name: str) -> str:
    """An attack's name in print."""
    return name.upper() if name in _ABBREVIATIONS else _SPELLINGS.get(name, name)


def attack_source(name: str) -> str:
    """Paper of a built-in attack; empty for others."""
    return ATTACKS[name].paper if name in ATTACKS else ""


def show_rule(rule: str) -> str:
    """A success rule: "IoU < 0.5"."""
    text = rule.replace("iou", "IoU")
    for sign in ("<=", ">=", "<", ">"):
        if sign in text:
            return text.replace(sign, f" {sign} ", 1)
    return text


def show_seconds(seconds: float) -> str:
    """A duration: "31.2 s", "12 min 5 s", "3 h 10 min"."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 60 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def show_count(number: float) -> str:
    """A mean count: whole where it is whole."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def listing(words: list[str]) -> str:
    """Words as a sentence lists them: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))

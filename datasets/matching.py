"""From files by role to samples: which RGB, depth and mask belong together."""

import unicodedata
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from natsort import natsorted

from rgbdsod.datasets.layout import Layout
from rgbdsod.datasets.roles import ROLES, Role, RoleName
from rgbdsod.errors import DataError

Masks = Literal["required", "optional"]

_SHOWN = 8


@dataclass(frozen=True)
class Entry:
    """The files of one sample."""

    id: str
    rgb: Path
    depth: Path
    mask: Path | None


def match(layout: Layout, *, masks: Masks = "required", intersect: bool = False) -> list[Entry]:
    """The samples of a layout, in natural order of their ids.

    Args:
        layout: files by role.
        masks: whether a sample needs one.
        intersect: leave samples out that lack a file, instead of failing.

    Raises:
        DataError: files of a role are missing, or two files claim one id.
    """
    if masks == "required" and not layout.files.get("mask"):
        mask = ROLES[2]
        raise DataError(
            f"no mask images in {layout.path} (looked for {', '.join(mask.folders)}); masks are needed to measure"
        )
    roles = [role for role in ROLES if role.name in ("rgb", "depth") or layout.files.get(role.name)]
    found = _by_id(layout, roles)
    # Sorted twice, since "5" and "05" are equal in natural order.
    every = natsorted(sorted(set().union(*found.values())))
    needed = [role for role in roles if masks == "required" or role.name != "mask"]
    common = [key for key in every if all(key in found[role.name] for role in needed)]
    if not common:
        first = {role.name: ", ".join(natsorted(found[role.name])[:3]) or "none" for role in roles}
        examples = "; ".join(f"{role} has {names}" for role, names in first.items())
        raise DataError(f"no two files in {layout.path} share a name: {examples}; give the files of a sample one stem")
    if not intersect:
        for role in needed:
            _require(layout, role, [key for key in every if key not in found[role.name]], len(every))
    mask_of = found.get("mask", {})
    return [Entry(key, found["rgb"][key], found["depth"][key], mask_of.get(key)) for key in common]


def _by_id(layout: Layout, roles: list[Role]) -> dict[RoleName, dict[str, Path]]:
    """Files by id; the suffix of a role is taken off where more files match without it."""
    best: dict[RoleName, dict[str, list[Path]]] = {}
    most = -1
    for strips in product((False, True), repeat=len(roles)):
        keyed = {role.name: _keyed(layout, role, strip) for role, strip in zip(roles, strips, strict=True)}
        shared = len(set.intersection(*(set(files) for files in keyed.values())))
        if shared > most:
            best, most = keyed, shared
    for name, files in best.items():
        for key, paths in files.items():
            if len(paths) > 1:
                raise DataError(f"two {name} images for id {key}: {paths[0]} and {paths[1]}; keep one")
    return {name: {key: paths[0] for key, paths in files.items()} for name, files in best.items()}


def _keyed(layout: Layout, role: Role, strip: bool) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for stem, path in layout.files[role.name]:
        # Archives from some systems spell an accented letter as two characters.
        key = unicodedata.normalize("NFC", role.strip(stem) if strip else stem)
        files.setdefault(key, []).append(path)
    return files


def _require(layout: Layout, role: Role, missing: list[str], total: int) -> None:
    if not missing:
        return
    shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    folder = layout.where[role.name]
    place = "" if folder == "." else f"{folder}/"
    raise DataError(
        f"no {role.name} image for {len(missing)} of {total} ids in {layout.path}: {shown} "
        f"(looked for {place}{role.looked_for})"
    )

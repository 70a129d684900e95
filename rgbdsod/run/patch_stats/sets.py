"""Patches as they were given: files, or run folders, each with what is known of how its patches are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rgbdsod.attacks.patch.file import TENSORS
from rgbdsod.attacks.patch.natural.families import usual_radius
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.pose import Size
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import read_json
from rgbdsod.foreign.files import expecting, reason

Place = Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False)
class PatchSet:
    """The patches of one file, or of one run.

    Args:
        id: what it is called.
        patches: at least one, with colours.
        places: homographies to the images, as many as are known for each patch.
        run: metrics.json of the run that they are of; empty for a file.
        digest: SHA-256 of the patches' tensors.
    """

    id: str
    patches: Sequence[Patch]
    places: Sequence[Sequence[Place]]
    run: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def side(self) -> int:
        """The shortest side of its pictures."""
        return min(min(patch.alpha.shape[-2:]) for patch in self.patches)

    @cached_property
    def pictures(self) -> list[Tensor]:
        """The colours (3,h,w) of each patch, outside its shape their mean inside."""
        found = []
        for patch in self.patches:
            if patch.content is None:
                raise UsageError(f"{self.id} changes depth alone and has no colours to measure; pass a patch on rgb")
            mean = (patch.content * patch.alpha).sum((1, 2)) / patch.alpha.sum().clamp_min(1e-9)
            found.append(torch.lerp(mean[:, None, None].expand_as(patch.content), patch.content, patch.alpha))
        return found

    @property
    def seen(self) -> list[Tensor]:
        """Each picture at each size (3,h,w) at which an image shows it; none where no place is known."""
        return [
            interpolate(picture[None], size_at(place, picture), mode="bilinear", align_corners=False)[0]
            for picture, places in zip(self.pictures, self.places, strict=True)
            for place in places
        ]

    def at(self, side: int) -> Tensor:
        """Its pictures (N,3,side,side)."""
        return torch.cat([interpolate(own[None], (side, side), mode="area") for own in self.pictures])

    def facts(self) -> dict[str, Any]:
        """Of which family it is, how far that reaches, and how strong the run found it beyond its controls."""
        known = self.patches[0].facts
        natural = str(known.get("natural", "none"))
        effects = self.run.get("effects", ())
        effect = next((one for one in effects if (one["measure"], one["region"]) == ("iou_bin", "rest")), None)
        return {
            "natural": natural if natural != "none" else None,
            "radius": known.get("natural_radius") or usual_radius(natural),
            "effect": None if effect is None else {name: effect[name] for name in ("mean", "low", "high")},
        }


def open_sets(paths: Sequence[str]) -> list[PatchSet]:
    """The sets of patches that paths name.

    Args:
        paths: files of patches, their folders, or run folders.

    Raises:
        UsageError: no paths, or patches without colours. DataError: what cannot be read.
    """
    if not paths:
        raise UsageError("patch stats needs patches; pass the patch.png of a run, or a run folder")
    found: list[PatchSet] = []
    for path in paths:
        with expecting(str(path), "repeat the run with --restart"):
            own = _open(Path(path))
        own.pictures  # noqa: B018  # refuses patches without colours at once
        names = [one.id for one in found]
        name = next(
            name for name in (own.id, *(f"{own.id}-{n}" for n in range(2, len(paths) + 2))) if name not in names
        )
        found.append(PatchSet(name, own.patches, own.places, own.run, own.digest))
    return found


def size_at(place: Place, picture: Tensor) -> Size:
    """Rows and columns that an image gives a picture at a place, turned upright."""
    height, width = picture.shape[-2:]
    corners = [(-0.5, -0.5), (width - 0.5, -0.5), (-0.5, height - 0.5), (width - 0.5, height - 0.5)]
    points = torch.tensor(place, dtype=torch.float64) @ torch.tensor([(x, y, 1.0) for x, y in corners]).double().T
    first, right, below, last = (points[:2] / points[2]).T
    across, down = ((torch.dist(*a) + torch.dist(*b)) / 2 for a, b in (((first, right), (below, last)),
                                                                      ((first, below), (right, last))))  # fmt: skip
    return max(1, round(float(down))), max(1, round(float(across)))


def _open(path: Path) -> PatchSet:
    if not path.exists():
        raise DataError(f"no {path}; pass the patch.png of a run, or a run folder")
    if not (path / "run.json").is_file():
        folder = path if path.is_dir() else path.parent
        patch = Patch.load(path)
        places = patch.facts.get("place")
        return PatchSet(folder.name or "patch", [patch], [[] if places is None else [places]], digest=_digest([folder]))
    several = sorted(found.parent for found in path.glob(f"patches/**/{TENSORS}"))
    folders = [path] if (path / TENSORS).is_file() else several
    if not folders:
        raise DataError(f"{path} holds no patches; pass a folder of patch make, or of attack --attack patch")
    patches = [Patch.load(folder) for folder in folders]
    hung = _hung(path)
    places = [hung.get("" if folder == path else folder.relative_to(path).as_posix(), []) for folder in folders]
    known = [own or [patch.facts["place"]] if "place" in patch.facts else own
             for own, patch in zip(places, patches, strict=True)]  # fmt: skip
    return PatchSet(path.resolve().name, patches, known, _json(path / "metrics.json"), _digest(folders))


def _hung(run: Path) -> dict[str, list[Place]]:
    """Homographies by the folder of their patch, "" for a run's only one, as patches.json has them."""
    found: dict[str, list[Place]] = {}
    for own in _json(run / "patches.json").get("annotations", ()):
        name = own.get("patch")
        if name is not None and own.get("homography") is not None:
            found.setdefault("" if name == "patch" else name, []).append(own["homography"])
    return found


def _json(path: Path) -> dict[str, Any]:
    """A document that a run may lack."""
    try:
        known: dict[str, Any] = {**read_json(path)} if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({reason(error)}); repeat the run with --restart") from error
    return known


def _digest(folders: Sequence[Path]) -> str:
    found = sha256()
    for folder in folders:
        found.update((folder / TENSORS).read_bytes())
    return found.hexdigest()

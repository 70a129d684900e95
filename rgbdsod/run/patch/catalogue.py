"""patches.json of a run: where its patches are, as COCO annotations with RLE masks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.attacks.patch.file import FACTS, TENSORS
from rgbdsod.datasets.coco.patches import PATCHES, PlacedPatch, patch_document
from rgbdsod.run.adversarial import file_name
from rgbdsod.run.execute import Outcome
from rgbdsod.run.folder import to_json
from rgbdsod.run.pictures import decode
from rgbdsod.run.store import Store

Row = Mapping[str, Any]

_HALF = 128


def write_catalogue(outcome: Outcome) -> None:
    """Write patches.json, unless it is there: the run may have been killed before it."""
    try:
        outcome.store.read(PATCHES)
    except (KeyError, OSError):
        document = catalogue(outcome.store, outcome.piece.rows, outcome.metrics, outcome.record)
        outcome.store.write(PATCHES, to_json(document))


def catalogue(
    store: Store, rows: Sequence[Row], metrics: Mapping[str, Any], record: Mapping[str, Any]
) -> dict[str, Any]:
    """The patches of a run as a COCO document; images are numbered from 1, in the order of the table.

    Args:
        store: the run's files.
        rows: its table.
        metrics: content of its metrics.json.
        record: content of its run.json.
    """
    placed = [row for row in rows if row["placed"]]
    images, patches = [], []
    for number, row in enumerate(placed, 1):
        cover = cover_of(store, str(row["id"]))
        images.append(image_entry(number, str(row["id"]), cover.shape))
        patches.append(PlacedPatch(number, cover, facts=patch_facts(store, row, metrics, record)))
    return patch_document(images, patches)


def cover_of(store: Store, sample_id: str) -> NDArray[np.bool_]:
    """The pixels under an image's patch, bool (H,W)."""
    picture = decode(store.read(f"patches/{sample_id}/mask.png"))
    return np.asarray(picture, np.uint8) > _HALF


def image_entry(number: int, sample_id: str, size: tuple[int, ...]) -> dict[str, Any]:
    """An image's entry in a COCO file; its name is that of the patched picture."""
    name = file_name("rgb", sample_id).removeprefix("adversarial/")
    return {"id": number, "file_name": name, "height": int(size[0]), "width": int(size[1])}


def patch_folder(store: Store, sample_id: str) -> str:
    """Where an image's patch lies, "" for the run's only one."""
    own = f"patches/{sample_id}"
    try:
        store.read(f"{own}/{TENSORS}")
    except (KeyError, OSError):
        return ""
    return own


def patch_facts(store: Store, row: Row, metrics: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """What an annotation says of an image's patch.

    Args:
        store: the run's files.
        row: the image's, with its "id" and "place"; without a place, the patch's own counts.
        metrics: content of the run's metrics.json.
        record: content of its run.json.
    """
    folder = patch_folder(store, str(row["id"]))
    tensors, about = (store.read(f"{folder}/{name}".lstrip("/")) for name in (TENSORS, FACTS))
    known = json.loads(about)
    facts = known["facts"]
    return {
        "image": row["id"],
        "patch": folder or "patch",
        "sha256": hashlib.sha256(tensors).hexdigest(),
        "attack": "patch",
        "victim": facts.get("model") or metrics["model"],
        "measured_on": metrics["model"],
        "goal": metrics.get("goal") or facts.get("patch_goal"),
        "target": None,
        "modality": known["modality"],
        "depth_mode": known["depth_mode"],
        "plane": known["plane"],
        "homography": json.loads(row["place"]) if row["place"] else facts["place"],
        "placement": metrics.get("where") or facts.get("where"),
        "seed": record["seed"],
        "quantised": True,
    }

"""What a run keeps of patches: their files, and which images had no place for one."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from rgbdsod.attacks import Result
from rgbdsod.attacks.patch.result import PatchResult
from rgbdsod.errors import DataError
from rgbdsod.run.pictures import encode, to_levels
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store


def write_patch_files(store: Store, sample_id: str, result: Result, row: int) -> None:
    """The patch of one image, and the pixels that it covers; nothing for attacks without patches.

    Args:
        store: where files go.
        sample_id: of the image.
        result: of the attack.
        row: of the image in the result.
    """
    patch = result.patches[row] if isinstance(result, PatchResult) else None
    if patch is None or not isinstance(result, PatchResult):
        return
    for name, content in patch.files().items():
        store.write(f"patches/{sample_id}/{name}", content)
    mask = result.mask[row, 0].float().cpu().numpy()
    store.write(f"patches/{sample_id}/mask.png", encode(to_levels(mask, 255)))


def write_pictures(store: Store, sample_id: str, clean: Tensor, patched: Tensor) -> None:
    """One image (3,H,W) in [0, 1] before and after, as `images/ID/image.png` and `images/ID/adv_image.png`."""
    for name, picture in (("image", clean), ("adv_image", patched)):
        levels = to_levels(picture.permute(1, 2, 0).float().cpu().numpy(), 255)
        store.write(f"images/{sample_id}/{name}.png", encode(levels))


def patch_columns(result: Result, row: int) -> dict[str, Any]:
    """Table columns of one image: whether there was a place, the share that is covered, what a stretch would move."""
    if not isinstance(result, PatchResult):
        return {}
    return {
        "placed": bool(result.placed[row]),
        "covered": float(result.mask[row].float().mean()),
        "stretch": float(result.stretch[row]),
    }


def with_place(merged: Piece) -> tuple[Piece, list[str]]:
    """The images that a patch has a place on, and the ids of the others.

    Args:
        merged: all images, as many rows for each as there are radii.

    Raises:
        DataError: there is a place on none.
    """
    without = {row["id"] for row in merged.rows if not row.get("placed", True)}
    if not without:
        return merged, []
    kept = [at for at, image in enumerate(merged.ids) if image not in without]
    if not kept:
        raise DataError(f"none of the {len(merged.ids)} images has a place for the patch; try --where random")
    rows = [row for row in merged.rows if row["id"] not in without]
    counts = {name: values[kept] for name, values in merged.counts.items()}
    return replace(merged, ids=[merged.ids[at] for at in kept], rows=rows, counts=counts), sorted(without)

"""`export_patches`: the attacked images of a run as a data set that others can use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import BoxedSet
from rgbdsod.datasets.coco.patches import OBJECTS, PATCHES
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.documents import parse_json
from rgbdsod.foreign.files import below, expecting, reason
from rgbdsod.run.folder import to_json
from rgbdsod.run.patch.catalogue import catalogue, patch_folder
from rgbdsod.run.patch.export_boxed import export_boxed
from rgbdsod.run.patch.exported import Exported, copy_patch, digest, manifest
from rgbdsod.run.pictures import decode
from rgbdsod.run.store import DiskStore

FORMATS = ("coco",)
COMMANDS = ("patch make", "patch apply", "patch evaluate", "attack")
"""Whose runs hold patches; of attacks those by patches."""

_ADVERSARIAL = "adversarial/"
_ROLES = ("RGB", "depth", "GT")


def export_patches(
    run: str | Path,
    out: str | Path,
    *,
    format: str = "coco",  # noqa: A002
    data: BoxedSet | None = None,
) -> Exported:
    """Write the attacked images of a run, where their objects and their patches are, and a manifest.

    In the folder: RGB/, depth/ and GT/ with rgbdsod.toml, which `load_dataset` reads, or images/ of a detector's
    run; patches/; objects.json and patches.json, COCO instances with RLE masks and the same image numbers;
    manifest.jsonl, a line for each image with the SHA-256 of its files. Images without a place for the patch are left
    out.

    Args:
        run: a folder of `rgbdsod patch make`, `patch apply`, `patch evaluate`, or `attack --attack patch`.
        out: a new or empty folder.
        format: "coco".
        data: the original images of a detector's run, where it does not say where they are.

    Raises:
        UsageError: another format, or a folder that holds something. DataError: it is no finished patch run.
    """
    if format not in FORMATS:
        raise UsageError(f'no format "{format}"; formats are {", ".join(FORMATS)}')
    source, target = DiskStore(Path(run)), DiskStore(Path(out))
    record = _record(source)
    if target.path.exists() and (not target.path.is_dir() or any(target.path.iterdir())):
        raise UsageError(f"--out {target.path} is not empty; name a new folder")
    with expecting(str(source.path), "repeat the run with --restart"):
        try:
            metrics = parse_json(source.read("metrics.json"))
            if record["command"] == "patch evaluate" or "detector" in record["settings"]:
                return export_boxed(source, target, record, metrics, data)
            return _write(source, target, record, metrics)
        except FileNotFoundError as error:
            raise DataError(f"{error.filename} is missing; repeat the run with --restart") from error


def _record(source: DiskStore) -> dict[str, Any]:
    """run.json of a finished patch run."""
    try:
        record: dict[str, Any] = {**parse_json(source.read("run.json"))}
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{source.path} is no run folder ({reason(error)}); rgbdsod patch make writes one") from error
    attack = record.get("settings", {}).get("attack")
    if record.get("command") not in COMMANDS or (record["command"] == "attack" and attack != "patch"):
        raise DataError(f"{source.path} is a run of {record.get('command')}; pass one of {', '.join(COMMANDS)}")
    if record["command"] == "patch evaluate" and "goal" not in record.get("settings", {}):
        raise DataError(f"{source.path} looked at photographs and patched none; pass a run on a detector")
    if record.get("status") != "finished":
        raise DataError(f"{source.path} is not finished (status: {record.get('status')}); give its command again")
    return record


def _write(source: DiskStore, target: DiskStore, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> Exported:
    document = _catalogue(source, record, metrics)
    images = {entry["id"]: Path(entry["file_name"]).relative_to("RGB").with_suffix("").as_posix()
              for entry in document["images"]}  # fmt: skip
    for name in images.values():  # they become names of files that are written
        below(target.path, name)
    lines, folders = [], {name: patch_folder(source, name) for name in images.values()}
    hashes = {own: copy_patch(source, target, own) for own in dict.fromkeys(folders.values())}
    objects: list[dict[str, Any]] = []
    for number, name in images.items():
        files = {}
        for role in _ROLES:
            content = source.read(f"{_ADVERSARIAL}{role}/{name}.png")
            target.write(f"{role}/{name}.png", content)
            files[f"{role}/{name}.png"] = digest(content)
        mask = np.asarray(decode(source.read(f"{_ADVERSARIAL}GT/{name}.png")), np.uint8)
        objects += _objects(number, mask > 128, len(objects) + 1)
        lines.append({"id": name, "image_id": number, "files": files | hashes[folders[name]]})
    target.write(OBJECTS, to_json(_objects_document(document["images"], objects, record)))
    target.write(PATCHES, to_json(document))
    target.write("rgbdsod.toml", source.read(f"{_ADVERSARIAL}rgbdsod.toml"))
    manifest(target, lines)
    return Exported(target.path, len(images), len(hashes), len(target.names("")))


def _catalogue(source: DiskStore, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """patches.json; of an attack it is made from the patches' own files."""
    if record["command"] != "attack":
        document: dict[str, Any] = {**parse_json(source.read(PATCHES))}
        return document
    masks = [Path(name) for name in source.names("patches") if name.endswith("/mask.png")]
    names = [mask.parent.relative_to("patches").as_posix() for mask in masks]
    return catalogue(source, [{"id": name, "placed": True, "place": None} for name in names], metrics, record)


def _objects(image: int, mask: NDArray[np.bool_], number: int) -> list[dict[str, Any]]:
    """The salient object of an image as an annotation; none where the mask is empty."""
    if not mask.any():
        return []
    from pycocotools import mask as coding

    code = coding.encode(np.asfortranarray(mask.astype(np.uint8)))
    return [
        {
            "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "area": int(coding.area(code)),
            "bbox": [float(value) for value in coding.toBbox(code)],
            "segmentation": {"size": list(code["size"]), "counts": code["counts"].decode("ascii")},
        }
    ]  # fmt: skip


def _objects_document(images: list[Any], objects: list[Any], record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "info": {"description": f"salient objects of {record['data']['name']}, patched; masks as compressed RLE"},
        "images": images,
        "annotations": objects,
        "categories": [{"id": 1, "name": "salient object"}],
    }

"""Readers of COCO's files."""

import json
from pathlib import Path

import numpy as np
from fuzz_images import encoded, picture
from fuzz_reader import Corpus, Reader, documents

_PNG = encoded(picture())


def _coco(folder: Path) -> Path:
    from PIL import Image

    (folder / "images").mkdir()
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(folder / "images" / "a.png")
    (folder / "images" / "sub").mkdir()
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(folder / "images" / "sub" / "b.png")
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "height": 20, "width": 24},
            {"id": 2, "file_name": "sub/b.png", "height": 20, "width": 24},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 3,
                "bbox": [1.0, 2.0, 3.0, 4.0],
                "iscrowd": 0,
                "segmentation": {"size": [20, 24], "counts": [100, 12, 368]},
                "area": 12,
            }
        ],
        "categories": [{"id": 3, "name": "car"}],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(document))
    return path


def _coco_corpus(valid: bytes, canary: Path) -> Corpus:
    base = json.loads(valid)
    image, box = base["images"][0], base["annotations"][0]
    secret = canary.with_name("secret.png")
    secret.write_bytes(_PNG)
    found = {
        f"file {name[:40]}": json.dumps(base | {"images": [image | {"file_name": name}]}).encode()
        for name in (
            str(secret),
            "../secret.png",
            f"../{canary.parent.name}/secret.png",
            "",
            ".",
            "..",
            "a.png\0",
            "x" * 5000,
            "a.png/",
            "con",
            "\ud800",
            "link.png",
        )
    }
    found |= {
        f"box {own}": json.dumps(base | {"annotations": [box | {"bbox": own}]}).encode()
        for own in (
            [float("nan")] * 4,
            [0, 0, 1e999, 1],
            [1, 2, 3],
            [1, 2, 3, 4, 5],
            "1234",
            [None] * 4,
            {},
            1,
            [[1], [2], [3], [4]],
            [10**400, 0, 1, 1],
            [1e308, 1e308, 1e308, 1e308],
            ["1", "2", "3", "4"],
            [-1e30, -1e30, 2e30, 2e30],
            [True] * 4,
        )
    }
    found |= {
        f"counts {str(own)[:20]} in {size}": json.dumps(
            base | {"annotations": [box | {"segmentation": {"size": size, "counts": own}}]}
        ).encode()
        for own in ("", "1a0", "~" * 99, "\xff\u1234", "0" * 10_000, [1, 2], [2**31], [-5, 9], None, {}, b"".hex())
        for size in ([20, 24], [2**31, 2**31], [-1, -1], [10**5, 10**5], [0, 0], ["a"], None, [1e5, 1])
    }
    return (
        documents(valid, canary)
        | found
        | {
            "an image twice": json.dumps(base | {"images": [image, image]}).encode(),
            "a category twice": json.dumps(base | {"categories": base["categories"] * 2}).encode(),
            "ids that are text": json.dumps(base | {"images": [image | {"id": "1"}]}).encode(),
            "many": json.dumps(base | {"annotations": [box] * 20_000}).encode(),
        }
    )


def _coco_read(path: Path) -> object:
    from rgbdsod.datasets.coco.boxed import renumbered
    from rgbdsod.datasets.coco.patches import coco_document
    from rgbdsod.datasets.coco.read import CocoSet

    data = CocoSet(path, path.parent / "images")
    found = list(data)
    assert all(Path(image.file) in (Path("a.png"), Path("sub/b.png")) for image in found), [
        image.file for image in found
    ]
    return json.dumps(coco_document(data)), [renumbered(one, data.classes, ["car", "bus"]) for one in found]


def _coco_patches(path: Path) -> object:
    from rgbdsod.datasets.coco.patches import read_patches

    return read_patches(path)


def _manifest(folder: Path) -> Path:
    from rgbdsod.datasets.coco.splits import write_manifest

    (folder / "a.png").write_bytes(_PNG)
    write_manifest(folder / "manifest.jsonl", [{"file": "a.png"}])
    return folder / "manifest.jsonl"


def _manifest_read(path: Path) -> object:
    from rgbdsod.datasets.coco.splits import check_manifest

    return check_manifest(path)


COCO = [
    Reader("COCO", _coco, _coco_read, _coco_corpus),
    Reader("COCO patches", _coco, _coco_patches, _coco_corpus),
    Reader("manifest", _manifest, _manifest_read, lambda valid, canary: documents(valid.strip(), canary)),
]

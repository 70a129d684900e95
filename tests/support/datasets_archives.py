"""Miniature archives of the sixteen zero-shot sets, as their authors lay them out: two or three images each."""

import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from rgbdsod.datasets import ZERO_SHOT_SETS

SIZE = (20, 24)


def picture(number: int, size=SIZE) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)


def save(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number)).save(path)
    return path


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def tinyimagenet(root: Path) -> None:
    base = root / "tiny-imagenet-200"
    text(base / "wnids.txt", "n02124075", "n04067472")
    text(base / "words.txt", "n00001740\tentity", "n02124075\tEgyptian cat", "n04067472\treel, spool")
    text(
        base / "val" / "val_annotations.txt",
        "val_0.JPEG\tn04067472\t0\t32\t44\t62",
        "val_1.JPEG\tn02124075\t1\t2\t3\t4",
        "val_2.JPEG\tn02124075\t1\t2\t3\t4",
    )
    for number in range(3):
        save(base / "val" / "images" / f"val_{number}.JPEG", number)
    for key in ("n02124075", "n04067472"):
        save(base / "train" / key / "images" / f"{key}_0.JPEG")


def cifar(root: Path, fine: bool, version: str, labels=(3, 8), protocol: int = 2) -> np.ndarray:
    """Either version; returns the images (N,32,32,3)."""
    images = np.stack([picture(number, (32, 32)) for number in range(len(labels))])
    rows = images.transpose(0, 3, 1, 2).reshape(len(labels), -1)
    number = 100 if fine else 10
    base = root / f"cifar-{number}-{version if fine or version == 'binary' else 'batches-py'}"
    if version == "binary" and not fine:
        base = root / "cifar-10-batches-bin"
    base.mkdir(parents=True)
    stem = "test" if fine else "test_batch"
    if version == "binary":
        leading = [[0, label] if fine else [label] for label in labels]
        (base / f"{stem}.bin").write_bytes(
            b"".join(bytes(head) + row.tobytes() for head, row in zip(leading, rows, strict=True))
        )
    else:
        content = {b"filenames": [b"x.png"] * len(labels), b"batch_label": b"testing batch 1 of 1", b"data": rows}
        content |= (
            {b"fine_labels": list(labels), b"coarse_labels": [7] * len(labels)} if fine else {b"labels": list(labels)}
        )
        (base / stem).write_bytes(pickle.dumps(content, protocol=protocol))
    return images


def stl10(root: Path) -> np.ndarray:
    base = root / "stl10_binary"
    base.mkdir()
    images = np.stack([picture(number, (96, 96)) for number in range(2)])
    images.transpose(0, 3, 2, 1).tofile(base / "test_X.bin")
    np.array([1, 10], np.uint8).tofile(base / "test_y.bin")
    text(base / "class_names.txt", *ZERO_SHOT_SETS["stl10"].names)
    return images


def sun397(root: Path) -> None:
    text(root / "SUN397" / "ClassName.txt", "/a/abbey", "/b/balcony/exterior")
    save(root / "SUN397" / "a" / "abbey" / "sun_a.jpg")
    save(root / "SUN397" / "b" / "balcony" / "exterior" / "sun_b.jpg")


def food101(root: Path) -> None:
    base = root / "food-101"
    text(base / "meta" / "classes.txt", "apple_pie", "baby_back_ribs")
    (base / "meta" / "test.json").write_text(
        json.dumps({"baby_back_ribs": ["baby_back_ribs/7"], "apple_pie": ["apple_pie/1", "apple_pie/2"]})
    )
    for name in ("apple_pie/1", "apple_pie/2", "baby_back_ribs/7", "baby_back_ribs/8"):
        save(base / "images" / f"{name}.jpg")


def oxfordpets(root: Path) -> None:
    base = root / "oxford-iiit-pet"
    text(base / "annotations" / "test.txt", "Abyssinian_201 1 1 1", "american_bulldog_9 2 2 1")
    for name in ("Abyssinian_201", "american_bulldog_9", "Abyssinian_1"):
        save(base / "images" / f"{name}.jpg")


def flowers102(root: Path) -> None:
    base = root / "flowers-102"
    for number in range(1, 5):
        save(base / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(base / "imagelabels.mat", {"labels": np.array([[77, 1, 102, 60]], np.uint8)})
    savemat(base / "setid.mat", {"trnid": [[1]], "valid": [[2]], "tstid": [[3, 4]]})


def dtd(root: Path) -> None:
    text(root / "dtd" / "labels" / "test1.txt", "banded/banded_0002.jpg", "polka-dotted/polka-dotted_0001.jpg")
    for name in ("banded/banded_0002.jpg", "polka-dotted/polka-dotted_0001.jpg"):
        save(root / "dtd" / "images" / name)


def eurosat(root: Path) -> None:
    folders = (
        "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake"
    )
    for folder in folders.split():
        save(root / "2750" / folder / f"{folder}_1.jpg")


def fgvc(root: Path) -> None:
    base = root / "fgvc-aircraft-2013b" / "data"
    text(base / "variants.txt", "707-320", "DHC-8-100")
    text(base / "images_variant_test.txt", "1514522 707-320", "0747566 DHC-8-100")
    for number in ("1514522", "0747566"):
        save(base / "images" / f"{number}.jpg")


CRANES = ("n02012849", "n03126707")


def imagenet(root: Path) -> None:
    text(
        root / "imagenet" / "map_clsloc.txt", "n02119789 1 kit_fox", f"{CRANES[0]} 429 crane", f"{CRANES[1]} 736 crane"
    )
    for key in ("n02119789", *CRANES):
        save(root / "imagenet" / "val" / key / "ILSVRC2012_val_00000001.JPEG")


def caltech101(root: Path) -> None:
    for folder in ("BACKGROUND_Google", "Faces_easy", "accordion", "water_lilly"):
        save(root / "caltech101" / "101_ObjectCategories" / folder / "image_0001.jpg")


def caltech256(root: Path) -> None:
    for folder in ("001.ak47", "003.american-flag", "251.airplanes-101"):
        save(root / "256_ObjectCategories" / folder / f"{folder[:3]}_0001.jpg")
    text(root / "256_ObjectCategories" / "001.ak47" / "RENAME2", "a stray file of the archive")


def stanfordcars(root: Path) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    names = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], object)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": names[None]})
    fields = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
    records = np.array([[(1, 2, "00001.jpg"), (1, 1, "00002.jpg")]], fields)
    savemat(base / "cars_test_annos_withlabels.mat", {"annotations": records})
    for name in ("00001.jpg", "00002.jpg"):
        save(base / "cars_test" / name)


def pcam(root: Path) -> np.ndarray:
    import h5py

    images = np.stack([picture(number, (96, 96)) for number in range(2)])
    (root / "pcam").mkdir()
    for key, values in (("x", images), ("y", np.array([0, 1], np.uint8).reshape(2, 1, 1, 1))):
        with h5py.File(root / "pcam" / f"camelyonpatch_level_2_split_test_{key}.h5", "w") as file:
            file[key] = values
    return images

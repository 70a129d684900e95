"""Adversarial inputs as files: rounded inside their budget, written, read back, and only then measured."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.quantise import quantise
from rgbdsod.datasets import Sample
from rgbdsod.run.hha_input import hha_image
from rgbdsod.run.pictures import Picture, decode, encode, from_levels, to_levels
from rgbdsod.run.store import Store

_OFF_GRID = 0.02  # of a level; float32 moves a 16-bit code by 0.004

FOLDERS = {"rgb": "RGB", "depth": "depth", "mask": "GT", "hha": "HHA"}
"""A layout that `load_dataset` reads, and HHA beside it."""


def file_name(role: str, sample_id: str) -> str:
    """Where a file of the adversarial set lies."""
    return f"adversarial/{FOLDERS[role]}/{sample_id}.png"


def levels_of(name: str, sample: Sample) -> int:
    """Highest code of the grid on which an input of this sample is saved."""
    return sample.depth_levels if name == "depth" else 255


def round_trip(
    store: Store, sample: Sample, clean: Mapping[str, Tensor], adversarial: Mapping[str, Tensor],
    threat: Mapping[str, Budget], *, keep: bool,
) -> dict[str, Tensor]:  # fmt: skip
    """Round to the files' levels inside the budget, write PNG, and read the PNG back.

    Args:
        store: where files go.
        sample: the image.
        clean: its inputs (1,C,H,W); adversarial: the attack's result.
        threat: the budgets of the attacked inputs, for this sample alone.
        keep: whether the files stay; otherwise they are only encoded and decoded.

    Returns:
        The inputs (1,C,H,W) as read back; one that was not attacked is the clean one.
    """
    result = dict(clean)
    for name, budget in threat.items():
        if budget.empty:
            continue
        levels = levels_of(name, sample)
        rounded = quantise(adversarial[name], clean[name], budget, levels)
        content = encode(_to_picture(rounded, levels))
        if keep:
            store.write(file_name(name, sample.id), content)
            content = store.read(file_name(name, sample.id))
        result[name] = _to_tensor(decode(content)).to(clean[name])
    return result


def on_grid(values: Tensor, levels: Sequence[int]) -> NDArray[np.float64]:
    """Values of image files (B,C,H,W) without the rounding of float32.

    Args:
        values: in [0, 1]; those that lie on no grid stay as they are.
        levels: each image's highest code.
    """
    return _snap(values.detach().double().cpu().numpy(), np.array(levels, np.float64).reshape(-1, 1, 1, 1))


def whole_steps(lengths: NDArray[np.float64], levels: Sequence[int]) -> NDArray[np.float64]:
    """Largest changes (B,) of values on a grid: 8 levels of 255 are 8/255, and not a hair more."""
    return _snap(lengths, np.array(levels, np.float64))


def _snap(values: NDArray[np.float64], top: NDArray[np.float64]) -> NDArray[np.float64]:
    codes = np.rint(values * top)
    found: NDArray[np.float64] = np.where(np.abs(values * top - codes) < _OFF_GRID, codes / top, values)
    return found


def write_rest(store: Store, sample: Sample, attacked: Mapping[str, Budget]) -> None:
    """The untouched files of the adversarial set, so that it can be read as a data set."""
    pictures: dict[str, Picture | None] = {
        "rgb": sample.rgb,
        "depth": to_levels(sample.depth, sample.depth_levels),
        "mask": sample.mask,
    }
    for role, picture in pictures.items():
        touched = role in attacked and not attacked[role].empty
        if picture is not None and not touched:
            store.write(file_name(role, sample.id), encode(picture))


def write_settings(store: Store, name: str) -> None:
    """How the set's depth is to be read: as it was written."""
    lines = (f"name = {json.dumps(name)}", 'near = "bright"', 'depth_range = "full"', 'salient = "either"')
    store.write("adversarial/rgbdsod.toml", ("\n".join(lines) + "\n").encode())


def write_tensors(store: Store, sample_id: str, adversarial: Mapping[str, Tensor]) -> None:
    """The attack's own result before rounding, float32 (C,H,W) by input."""
    from safetensors.torch import save

    tensors = {name: value[0].detach().float().cpu().contiguous() for name, value in adversarial.items()}
    store.write(f"adversarial/tensors/{sample_id}.safetensors", save(tensors))


def write_pictures(
    store: Store, sample: Sample, maps: Mapping[str, Picture], inputs: Mapping[str, Tensor] | None = None
) -> None:
    """The pictures that a report shows of one image.

    Args:
        store: where files go.
        sample: the clean image.
        maps: "clean_map", "attacked_map": uint8 (H, W).
        inputs: adversarial inputs (1,C,H,W) as measured.
    """
    pictures: dict[str, Picture] = {"rgb": sample.rgb, "depth": to_levels(sample.depth, sample.depth_levels), **maps}
    if sample.mask is not None:
        pictures["mask"] = sample.mask
    if "hha" in (inputs or {}):
        pictures["hha"] = hha_image(sample)
    for name, value in (inputs or {}).items():
        pictures[f"adv_{name}"] = _to_picture(value, levels_of(name, sample))
    for name, picture in pictures.items():
        store.write(f"images/{sample.id}/{name}.png", encode(picture))


def _to_picture(value: Tensor, levels: int) -> Picture:
    """(1,C,H,W) in [0, 1] as a picture."""
    array = value[0].detach().float().cpu().numpy()
    return to_levels(array[0] if len(array) == 1 else np.moveaxis(array, 0, -1), levels)


def _to_tensor(picture: Picture) -> Tensor:
    """A picture as (1,C,H,W) in [0, 1]."""
    values = torch.from_numpy(from_levels(picture))
    return values[None, None] if values.ndim == 2 else values.permute(2, 0, 1)[None]

"""Certificates against brute force: every place of a patch, many contents, and no certified pixel changes."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from rgbdsod.defenses import FILLS, Certificate, Cover, certify, cover
from rgbdsod.defenses.patch.certificates.certify import masked
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

SIDE, PATCH, CONTENTS = 12, 3, 64
CHANGED = {"rgb": ("rgb",), "depth": ("depth",), "both": ("rgb", "depth")}


class Relative(nn.Module):
    """Brighter and nearer than the rest; the brightest place counts everywhere, so that a patch acts at a distance."""

    def forward(self, inputs: Inputs) -> Tensor:
        light = inputs["rgb"].mean(1, keepdim=True) + inputs["depth"]
        near = avg_pool2d(light, 3, 1, 1, count_include_pad=False)
        top, mean = near.amax((2, 3), keepdim=True), near.mean((2, 3), keepdim=True)
        return 8 * (near - 0.6 * mean - 0.4 * top)


def scene() -> tuple[dict[str, Tensor], Tensor]:
    """A block hardly brighter and nearer than its ground, so that copies disagree, and its mask."""
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 2:11, 2:10] = 1
    noise = torch.rand(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.2
    image = 0.3 + 0.25 * mask + noise
    return {"rgb": image[:, :3].contiguous(), "depth": image[:, 3:].contiguous()}, mask


def contents(inputs: Inputs, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Whole images of content, (64,C,H,W) each: black, white, random corners; half raise or lower random pixels."""
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(CONTENTS // 2, 1, SIDE, SIDE, generator=draw) + torch.randn(
        CONTENTS // 2, 1, 1, 1, generator=draw
    )
    leaves = {name: value.expand(CONTENTS // 2, -1, -1, -1).clone().requires_grad_() for name, value in inputs.items()}
    gradients = torch.autograd.grad((Relative()(leaves) * weights).sum(), [leaves[name] for name in names])
    found = {}
    for name, gradient in zip(names, gradients, strict=True):
        corners = (torch.rand(gradient.shape, generator=draw) < 0.5).float()
        corners[0], corners[1] = 0, 1
        found[name] = torch.cat([corners, (gradient > 0).float()])
    return found


def attacked(inputs: Inputs, shown: Inputs, top: int, left: int) -> dict[str, Tensor]:
    """The image with each content in a patch at a place, (64,...)."""
    inside = (..., slice(top, top + PATCH), slice(left, left + PATCH))
    batch = {name: value.expand(CONTENTS, -1, -1, -1).clone() for name, value in inputs.items()}
    for name, content in shown.items():
        batch[name][inside] = content[inside]
    return batch


def made(aim: str, layout: str) -> Cover:
    copies = (2, 3) if aim == "detection" and layout == "grid" else (1, 5) if layout == "columns" else (3, 3)
    return cover((SIDE, SIDE), (PATCH, PATCH), aim, layout, copies=copies, block=(2, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("aim", "layout", "threat"),
    [
        ("detection", "columns", "rgb"),
        ("detection", "grid", "both"),
        ("detection", "grid", "depth"),
        ("recovery", "columns", "both"),
        ("recovery", "columns", "depth"),
        ("recovery", "grid", "rgb"),
    ],
)
def test_no_patch_changes_a_certified_pixel(aim: str, layout: str, threat: str) -> None:
    inputs, truth = scene()
    masks = made(aim, layout)
    clean = certify(Relative(), inputs, masks, threat=threat, fill="mean")  # type: ignore[arg-type]
    bounds = clean.bounds(truth)
    assert float(clean.share) > 0.2
    assert float(bounds.mae) < 0.8
    shown, plain = contents(inputs, CHANGED[threat]), Relative()(inputs) > 0
    undefended = 0
    for top, left in product(range(SIDE - PATCH + 1), repeat=2):
        batch = attacked(inputs, shown, top, left)
        found = certify(Relative(), batch, masks, threat=threat, fill="mean")  # type: ignore[arg-type]
        broken = clean.certified & found.agreed & (found.map != clean.map)
        assert not bool(broken.any()), f"a patch at {top}, {left} changed a certified pixel"
        undefended += int((clean.certified & ((Relative()(batch) > 0) != plain)).sum())
        if aim == "recovery":
            check_bounds(found, truth, bounds.iou, bounds.mae)
    assert undefended, "no patch changed anything without the defence, so the test shows nothing"


def check_bounds(found: Certificate, truth: Tensor, iou: Tensor, mae: Tensor) -> None:
    inside = truth.bool()
    values = (found.map & inside).sum((1, 2, 3)) / (found.map | inside).sum((1, 2, 3))
    assert bool((values >= iou).all())
    assert bool(((found.map != inside).float().mean((1, 2, 3)) <= mae + 1e-6).all())


@pytest.mark.parametrize("how", FILLS)
def test_nothing_of_what_is_hidden_gets_into_a_copy(how: str) -> None:
    inputs, _ = scene()
    for hidden in made("recovery", "grid").hidden:
        other = {name: torch.where(hidden, torch.rand_like(value), value) for name, value in inputs.items()}
        for name, copy in masked(inputs, hidden, how).items():
            assert torch.equal(copy, masked(other, hidden, how)[name])
            assert torch.equal(copy[..., ~hidden], inputs[name][..., ~hidden])


@pytest.mark.parametrize("patch", [(1, 1), (2, 5), (3, 3)])
@pytest.mark.parametrize(("aim", "layout"), list(product(["detection", "recovery"], ["columns", "grid"])))
def test_the_covering_condition_is_that_of_a_slow_count(aim: str, layout: str, patch: tuple[int, int]) -> None:
    masks = cover((17, 27), patch, aim, layout, copies=(3, 5) if aim == "recovery" else (3, 4))  # type: ignore[arg-type]
    worst, uncovered = 0, 0
    for top, left in product(range(17 - patch[0] + 1), range(27 - patch[1] + 1)):
        under = masks.hidden[:, top : top + patch[0], left : left + patch[1]]
        visible = sum(not bool(one.all()) for one in under)
        worst, uncovered = max(worst, visible), uncovered + (visible == len(under))
    assert masks.visible == worst
    assert uncovered == 0 if aim == "detection" else len(masks.hidden) >= 2 * worst + 1


def test_the_unthreatened_input_is_never_masked() -> None:
    inputs, _ = scene()
    seen: list[Tensor] = []

    def watch(given: Inputs) -> Tensor:
        seen.append(given["depth"])
        return given["depth"]

    found = certify(watch, inputs, made("recovery", "columns"), threat="rgb")
    assert all(torch.equal(one, inputs["depth"]) for one in seen)
    assert float(found.share) == 1


def test_bounds_by_hand() -> None:
    shown, certain = torch.tensor([1, 1, 0, 0, 1.0]), torch.tensor([1, 0, 1, 0, 1.0])
    found = Certificate("recovery", "rgb", (1, 1), 5, shown.bool().view(1, 1, 1, 5), certain.bool().view(1, 1, 1, 5))
    bounds = found.bounds(torch.tensor([1, 1, 0, 0, 0.0]).view(1, 1, 1, 5))
    assert float(bounds.iou) == pytest.approx(1 / 4)  # one sure hit; two true pixels, two that may be false alarms
    assert float(bounds.mae) == pytest.approx(3 / 5)


def test_what_cannot_be_certified_is_refused() -> None:
    inputs, truth = scene()
    with pytest.raises(UsageError, match="visible in 2 of 3 copies; recovery needs"):
        cover((SIDE, SIDE), (3, 3), "recovery", "columns", copies=(1, 3))
    with pytest.raises(UsageError, match="somewhere visible in all 2 copies"):
        Cover("detection", (3, 3), torch.eye(2, dtype=torch.bool)[:, None].expand(2, 4, 2).repeat(1, 1, 3))
    with pytest.raises(UsageError, match="a patch of 13x3 on images of 12x12"):
        cover((SIDE, SIDE), (13, 3))
    with pytest.raises(UsageError, match='no cover "recover"'):
        cover((SIDE, SIDE), (3, 3), "recover")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="need more than 12 pixels"):
        cover((SIDE, SIDE), (3, 3), "recovery")
    small = cover((SIDE, SIDE), (3, 3), "recovery", block=(2, 2))
    with pytest.raises(UsageError, match='threat "depth" to inputs rgb'):
        certify(lambda given: given["rgb"], {"rgb": inputs["rgb"]}, small, threat="depth")
    with pytest.raises(UsageError, match=r"a cover of \(12, 12\) for rgb"):
        certify(Relative(), {name: value[..., :8] for name, value in inputs.items()}, small)
    with pytest.raises(UsageError, match='no fill "grass"'):
        certify(Relative(), inputs, small, fill="grass")
    with pytest.raises(UsageError, match="pass masks of their size"):
        certify(Relative(), inputs, small).bounds(truth[..., :4])

"""A patch that is there, hung on other pictures."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.door import check_choice, check_ids, workable
from rgbdsod.attacks.patch.compose import COLOURS, Surface
from rgbdsod.attacks.patch.design import image_size
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.attacks.patch.layout import Known, Layout, Spot, layers_of, with_place
from rgbdsod.attacks.patch.natural.family import COLOUR
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import SEEKING, Placement, zoom
from rgbdsod.attacks.patch.pose import STEEPEST, Pose, Size
from rgbdsod.attacks.patch.problem import PLANE, RELIEF, RELIEF_REACH, PatchProblem
from rgbdsod.attacks.patch.scene import Scene, Setting
from rgbdsod.attacks.patch.shapes import parse_share, window
from rgbdsod.attacks.patch.transforms.presets import TRANSFORMS
from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


class Hung(NamedTuple):
    """Pictures with a patch.

    Args:
        inputs: all inputs; a picture without a place is as it was.
        mask: the pixels under the patch, bool (B,1,H,W).
        placed: whether there was a place, bool (B,).
    """

    inputs: dict[str, Tensor]
    mask: Tensor
    placed: Tensor


@torch.no_grad()
def hang_patch(
    inputs: Inputs,
    patch: Patch,
    *,
    patch_size: float | str = "5%",
    where: str = "random",
    at: str = "0.5,0.5",
    objects: Tensor | None = None,
    boxes: Sequence[Tensor] | None = None,
    depth_kind: str = "unknown",
    transforms: str = "none",
    draw: int = 0,
    seed: int = 0,
    sample_ids: Sequence[str] | None = None,
) -> Hung:
    """Hang a patch on pictures, at drawn places and under draws of transformations that no attack has seen.

    Args:
        inputs: rgb or image (B,3,H,W), depth (B,1,H,W), in [0, 1].
        patch: what is hung.
        patch_size: what its canvas covers of a picture, "5%" or 0.05, at the patch's own ratio of sides.
        where, at: see `adversarial_patch`; all but "worst" and "learned".
        objects: bool (B,1,H,W), for policies that ask for objects.
        boxes: for each picture (n,4), x0, y0, x1, y1 in pixels, for policy "box".
        depth_kind: what depth means.
        transforms: what happens to it; "none" leaves it as it is.
        draw: number of the draw; each gives other transforms, at the same place.
        seed: of places and draws.
        sample_ids: one id per sample, on which both depend.

    Raises:
        UsageError: settings that do not exist; inputs that lack what the patch changes; a patch larger than a picture.
    """
    check_choice(TRANSFORMS, transforms=transforms)
    if where in SEEKING:
        raise UsageError(f"--where {where} seeks a place with gradients; a patch that is there takes another policy")
    image, (height, width) = image_size(inputs), patch.alpha.shape[-2:]
    span = window(patch_size, f"{width}:{height}", image)
    ids = check_ids(sample_ids, len(next(iter(inputs.values()))))
    layout = Layout(Placement(where, at), patch.alpha, span, image, seed, parse_share(patch_size))
    surface = Surface(patch.depth_mode, DepthKind.parse(depth_kind))
    setting = Setting(patch.alpha, span, surface, TRANSFORMS[transforms], seed=seed)
    return hang_at(inputs, patch, layout.spots(ids, Known(objects, boxes)), setting, ids, draw)


@torch.no_grad()
def hang_at(
    inputs: Inputs, patch: Patch, places: Sequence[Sequence[Spot]], setting: Setting, ids: Sequence[str], draw: int = 0
) -> Hung:
    """The same at given places.

    Args:
        inputs, patch, draw: see `hang_patch`.
        places: on each picture; none where there is none.
        setting: of the patch and its transformations.
        ids: of the samples.
    """
    changed, rows_and_spots = _changed(inputs, patch), with_place(places)
    image, like, (rows, spots) = image_size(inputs), next(iter(inputs.values())), rows_and_spots
    mask = torch.zeros(len(like), 1, *image, dtype=torch.bool, device=like.device)
    placed = torch.zeros(len(like), dtype=torch.bool)
    placed[rows] = True
    if not len(rows):
        return Hung(dict(inputs), mask, placed)
    at_rows = rows.to(like.device)
    clean = {name: workable(inputs[name])[at_rows] for name in changed}
    budgets = {name: Budget(eps=1.0) for name in changed}
    scene = Scene(clean, layers_of(spots), [ids[row] for row in rows.tolist()], budgets)
    problem = PatchProblem(cast(Problem, None), scene, setting)
    seen = problem.placed(variables(patch, next(iter(clean.values()))), f"test/{draw}")
    result = dict(inputs)
    for name in changed:
        result[name] = workable(inputs[name]).index_copy(0, at_rows, seen.inputs[name])
    return Hung(result, mask.index_copy(0, at_rows, seen.mask), placed)


def hung_as(patch: Patch, span: Size) -> Pose:
    """How a patch hangs whose place was sought with it, by its own facts; its tilt aside.

    Args:
        patch: with its place and its turn.
        span: rows and columns of the patch, upright, in the image.
    """
    (height, width), place = patch.alpha.shape[-2:], torch.tensor(patch.facts["place"], dtype=torch.float64)
    centre = place @ torch.tensor([(width - 1) / 2, (height - 1) / 2, 1.0], dtype=torch.float64)
    pose = Pose.facing((centre[:2] / centre[2])[None], zoom(patch.alpha, span))
    return pose._replace(roll=torch.tensor([patch.facts["turn"]], dtype=torch.float64))


def _changed(inputs: Inputs, patch: Patch) -> tuple[str, ...]:
    """The inputs that the patch changes.

    Raises:
        UsageError: one is missing.
    """
    colour = next((name for name in COLOURS if name in inputs), "rgb")
    wanted = ([colour] if patch.content is not None else []) + (["depth"] if patch.depth_mode != "none" else [])
    if missing := [name for name in wanted if name not in inputs]:
        raise UsageError(f"the patch changes {missing[0]}, and the inputs are {', '.join(inputs)}; pass another patch")
    return tuple(wanted)


def variables(patch: Patch, like: Tensor) -> dict[str, Tensor]:
    """A patch in the variables of a problem, for each row of `like`."""
    found: dict[str, Tensor] = {}
    if patch.content is not None:
        found[COLOUR] = patch.content.to(like).expand(len(like), -1, -1, -1)
    if patch.plane is not None:
        near, across, down = patch.plane
        numbers = [near, (across / STEEPEST + 1) / 2, (down / STEEPEST + 1) / 2]
        found[PLANE] = like.new_tensor([numbers]).expand(len(like), -1)
    if patch.relief is not None:
        relief = patch.relief if patch.depth_mode == "free" else (patch.relief / RELIEF_REACH + 1) / 2
        found[RELIEF] = relief.to(like).expand(len(like), -1, -1, -1)
    return found

"""A patch for each image, found on the common core."""

from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_choice, check_counts, check_ids, check_inputs, check_numbers
from rgbdsod.attacks.patch.design import Blueprint, Design, image_size
from rgbdsod.attacks.patch.result import PatchResult
from rgbdsod.attacks.patch.seeking import Pursuit, seek
from rgbdsod.attacks.patch.steps import STARTS
from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


def adversarial_patch(
    problem: Problem,
    inputs: Inputs,
    threat: Threat,
    *,
    steps: int = 200,
    step_size: float | None = None,
    restarts: int = 1,
    patch_size: float | str = "5%",
    shape: str = "square",
    where: str = "random",
    at: str = "0.5,0.5",
    depth_mode: str = "plane",
    depth_kind: str = "unknown",
    patch_goal: str = "own",
    transforms: str = "none",
    draws: int = 4,
    start: str = "uniform",
    canvas: int = 0,
    smooth: float | None = None,
    printable: float | None = None,
    **common: Unpack[Common],
) -> PatchResult:
    """A patch on each picture, in colour, in depth or in both at the same place.

    Which inputs carry the patch is said by the threat: rgb (or image), depth, or both. A radius of 1 leaves the values
    under the patch free; a smaller one bounds how far they go from what they cover.

    Args:
        problem: what is attacked.
        inputs: all inputs (B, ...) in [0, 1].
        threat: budgets by input, norm "linf"; the radius of a plain patch is 1.
        steps: of a restart.
        step_size: of a pixel; None: 2/255. The plane's numbers take steps of Adam of 0.01.
        restarts: runs from different starts; each sample keeps its best.
        patch_size: what the patch covers of the picture, "5%" or 0.05; with "box" its side
            as a share of the box's.
        shape: "square", "disc", "rounded", or sides such as "3:2".
        where: "random"; "fixed"; "on-object", "off-object" or "boundary", for problems that know their objects;
            "box": in the middle of each box, its side a share of the box's (that of `targets`, else of the object);
            "worst": where the gradient is largest, the best of eight places after a short attack.
        at: fixed only: the centre as shares of width and height.
        depth_mode: "surface", "card", "plane", "relief" or "free", where depth is attacked; see `Surface`.
        depth_kind: what depth means: "inverse", "unknown" (taken as inverse), or "metric:NEAR-FAR".
        patch_goal: "own": the problem's objective and goal, away from the patch; for maps also "hide", "ghost", "swap",
            "degrade" and "self".
        transforms: what may happen to the patch: "none", "digital", "print", "hard", "thys", "tsea" or "art".
        draws: of the transforms, of which one gradient and one look are the mean.
        start: "uniform" noise, or "grey".
        canvas: side of the patch's own picture in pixels; 0: as large as it is seen.
        smooth: weight of the total variation; None: what goes with the transforms.
        printable: weight of the distance to printable colours; None: what goes with the transforms.
        common: see `rgbdsod.attacks.core.Common`.

    Returns:
        The patched pictures and the patches. Samples without a place come back clean, and are marked.

    Raises:
        UsageError: settings that do not fit the problem or each other; a patch larger than the picture.

    Source: Brown et al., "Adversarial Patch", arXiv 1712.09665; the expectation over transformations of arXiv
    1707.07397; printing of Sharif et al., CCS 2016. Depth of a card: own.
    """
    check_choice(STARTS, start=start)
    check_counts(steps=steps, restarts=restarts, draws=draws)
    check_numbers(step_size=step_size)
    if restarts > 1 and start == "grey":
        raise UsageError(f"--restarts {restarts} all start from grey; use --start uniform")
    design: Design = {
        "patch_size": patch_size, "shape": shape, "where": where, "at": at, "depth_mode": depth_mode,
        "depth_kind": depth_kind, "patch_goal": patch_goal, "transforms": transforms, "canvas": canvas,
        "smooth": smooth, "printable": printable,
    }  # fmt: skip
    plan = Blueprint(design, common.get("seed", 0))
    samples = check_inputs(problem, inputs, threat)
    ids, changed = check_ids(common.get("sample_ids"), samples), plan.changed(inputs, threat)
    with torch.inference_mode(False):
        setting = plan.setting(image_size(inputs), changed)
        pursuit = Pursuit(setting, changed, steps, step_size or 2 / 255, restarts, start, draws)
        return seek(
            problem, inputs, threat, pursuit, plan.placement, {**common, "sample_ids": ids},
            {**plan.facts(), "steps": steps},
        )  # fmt: skip

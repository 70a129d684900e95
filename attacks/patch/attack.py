"""A patch for each image, found on the common core."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import torch

from rgbdsod.attacks.budget import Threat
from rgbdsod.attacks.core import Common
from rgbdsod.attacks.door import check_choice, check_counts, check_ids, check_inputs, check_numbers
from rgbdsod.attacks.patch.design import Blueprint, Design, colour_of, image_size
from rgbdsod.attacks.patch.natural.family import COLOUR
from rgbdsod.attacks.patch.natural.generated import PatchGenerator
from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.attacks.patch.placement import SEEKING
from rgbdsod.attacks.patch.result import PatchResult
from rgbdsod.attacks.patch.seeking import SEARCHES, Pursuit, seek
from rgbdsod.attacks.patch.steps import STARTS, start_of
from rgbdsod.attacks.problem import Problem
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

_GUESSED = 0.05  # step of a pixel along a gradient that was guessed from scores


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
    start: str | Sequence[Patch | None] = "uniform",
    search: str = "gradient",
    queries: int = 128,
    canvas: int = 0,
    smooth: float | None = None,
    printable: float | None = None,
    natural: str | PatchGenerator = "none",
    natural_radius: float | None = None,
    crops: str = "demo",
    generator: str | None = None,
    naturalness: float = 0.0,
    gate: str = "none",
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
        step_size: of a pixel; None: 2/255, of a search by scores 0.05. The plane's numbers take steps of Adam of 0.01.
        restarts: runs from different starts; each sample keeps its best.
        patch_size: what the patch covers of the picture, "5%" or 0.05; with "box" its side
            as a share of the box's.
        shape: "square", "disc", "rounded", sides such as "3:2", or a picture's name: its alpha is the shape.
        where: "random"; "fixed"; "on-object", "off-object" or "boundary", for problems that know their objects;
            "box": in the middle of each box, its side a share of the box's (that of `targets`, else of the object);
            "apde": on every box, its side a share of the box's longer one and at least 10 pixels, at 40 to 60 % of the
            height, turned by up to 15 degrees (the APDE benchmark, whose share is 20 %);
            "worst": where the gradient is largest, the best of eight places after a short attack; "learned": at first
            as "random", then place and turn are sought with the patch.
        at: fixed only: the centre as shares of width and height.
        depth_mode: "surface", "card", "plane", "relief" or "free", where depth is attacked; see `Surface`.
        depth_kind: what depth means: "inverse", "unknown" (taken as inverse), or "metric:NEAR-FAR".
        patch_goal: "own": the problem's objective and goal, away from the patch; for maps also "hide", "ghost", "swap",
            "degrade" and "self".
        transforms: what may happen to the patch: "none", "digital", "print", "hard", "thys", "tsea" or "art".
        draws: of the transforms, of which one gradient and one look are the mean.
        start: "uniform" noise; "grey", or the middle of the natural pictures; "image": a crop of a photograph; or
            patches to go on from, one for each sample, None for one that begins at random.
        search: "gradient"; "spsa": by scores alone, along random signs of a 16 x 16 grid.
        queries: for one gradient of a search by scores, an even number.
        canvas: side of the patch's own picture in pixels; 0: as large as it is seen.
        smooth: weight of the total variation; None: what goes with the transforms.
        printable: weight of the distance to printable colours; None: what goes with the transforms.
        natural: what the patch may show: "none": anything; "crop": a crop of a photograph, changed a little; "mix":
            mixtures of 64 crops; "lowpass": no fine detail; "vae": what a small network draws that comes with the
            package; "file": what yours draws, if its file says that this is near photographs; "drawn": in any case;
            or what a `PatchGenerator` draws.
        natural_radius: how far these reach: crop: a value may go so far from the photograph (16/255); mix: how uneven
            the weights may be (4); lowpass: the highest frequency as a share of Nyquist's (1/8); a generator: the
            longest latent vector over the root of its numbers (1). None: these.
        crops: a folder of photographs; "demo": some that come with the package. Those that are attacked are left out.
        generator: the .safetensors file of "file" and "drawn".
        naturalness: weight of the Frechet distance of the patch's appearances from those of crops, of 8 pixels a side
            and more; 0: none.
        gate: for D3Net: "close" its depurator, so that depth is dropped, or keep it "open", besides the goal; "none".
        common: see `rgbdsod.attacks.core.Common`.

    Returns:
        The patched pictures and the patches. Samples without a place come back clean, and are marked.

    Raises:
        UsageError: settings that do not fit the problem or each other; a patch larger than the picture.
        DataError: a picture that is to give the shape, or photographs, cannot be read.

    Source: Brown et al., "Adversarial Patch", arXiv 1712.09665; the expectation over transformations of arXiv
    1707.07397; printing of Sharif et al., CCS 2016; scores: Uesato et al., arXiv 1802.05666, algorithm 1. Depth of a
    card: own.
    """
    begun = None if isinstance(start, str) else list(start)
    start = start if isinstance(start, str) else "uniform"
    check_choice(STARTS, start=start)
    check_choice(SEARCHES, search=search)
    check_counts(steps=steps, restarts=restarts, draws=draws, queries=queries)
    check_numbers(step_size=step_size)
    if search == "spsa" and where in SEEKING:
        raise UsageError(
            f"--where {where} looks at gradients, which --set search=spsa does without; use random or fixed"
        )
    if begun is not None and restarts > 1:
        raise UsageError(f"--restarts {restarts} all start from the given patches; use 1")
    if natural != "none" and start == "image" and natural != "crop":
        raise UsageError("--start image begins at a crop of a photograph, which is not in that family; use uniform")
    if restarts > 1 and (start == "grey" or (start == "image" and natural == "crop")):
        raise UsageError(f"--restarts {restarts} all start from {start}; use --start uniform")
    design: Design = {
        "patch_size": patch_size, "shape": shape, "where": where, "at": at, "depth_mode": depth_mode,
        "depth_kind": depth_kind, "patch_goal": patch_goal, "transforms": transforms, "canvas": canvas,
        "smooth": smooth, "printable": printable, "natural": natural, "natural_radius": natural_radius,
        "crops": crops, "generator": generator, "naturalness": naturalness, "gate": gate,
    }  # fmt: skip
    plan = Blueprint(design, common.get("seed", 0))
    samples = check_inputs(problem, inputs, threat)
    ids, changed = check_ids(common.get("sample_ids"), samples), plan.changed(inputs, threat)
    with torch.inference_mode(False):
        setting, bank = plan.setting(image_size(inputs), changed), None
        canvas_size, attacked = (setting.alpha.shape[-2], setting.alpha.shape[-1]), colour_of(inputs, changed)
        if plan.photographs or start == "image":
            bank = plan.bank(canvas_size, attacked)
        setting = replace(setting, family=plan.family(bank), nature=plan.nature(canvas_size, attacked))
        begin = start_of(start, None if plan.photographs else bank)
        if begun is not None:
            _check_begun(begun, samples, setting.family.variable)
        size = step_size or (_GUESSED if search == "spsa" else 2 / 255)
        pursuit = Pursuit(setting, changed, steps, size, restarts, begin, draws, search, queries, begun)
        return seek(
            problem, inputs, threat, pursuit, plan.placement, {**common, "sample_ids": ids},
            {**plan.facts(), "steps": steps},
        )  # fmt: skip


def _check_begun(begun: Sequence[Patch | None], samples: int, variable: str) -> None:
    """Refuse patches that cannot be gone on from."""
    if len(begun) != samples:
        raise UsageError(f"{len(begun)} patches to start from for {samples} samples; pass one for each, or None")
    if variable != COLOUR:
        raise UsageError("a natural patch starts in its own family, not at a given patch; use start=grey or uniform")

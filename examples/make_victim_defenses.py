"""Learn the patch defences that belong to one victim, from a seed: fcos.tiny's patch class, and its frame.

    python examples/make_victim_defenses.py                   # both
    python examples/make_victim_defenses.py frame_fcos        # one

`adyolo` tunes the last layers of fcos.tiny on generated shapes: half of the images clean, an eighth with a sticker that
is no patch, the others with a patch: noise, smooth colours, mixtures, or one that hides shapes from fcos.tiny itself.
The frame and a set of patches are learned in turn, a step each. Writes weights and, beside them, a record with figures
on images that training never saw.
"""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from make_patch_defenses import ASSETS, FAMILIES, Backgrounds, sticker, texture
from safetensors.torch import save_file
from torch import Tensor, nn

from rgbdsod.attacks import Budget, pgd
from rgbdsod.datasets import TEST_SEED, ShapeScenes, boxed_batch
from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.learned.adyolo import with_patch_class
from rgbdsod.defenses.patch.learned.frame import framed
from rgbdsod.metrics import visible_share
from rgbdsod.models import DetectionProblem, load_detector
from rgbdsod.models.checkpoint import file_hash
from rgbdsod.types import Objects

SIDE = 128
BATCH = 8
SCENES, MEASURED = 400, 16
STEPS = {"adyolo": 400, "frame_fcos": 240}
TUNED = (
    "classification_head.conv.6", "classification_head.conv.7", "classification_head.conv.9",
    "classification_head.conv.10", "classification_head.cls_logits", "regression_head.conv.9",
    "regression_head.conv.10", "regression_head.bbox_reg", "regression_head.bbox_ctrness",
)  # fmt: skip
HIDDEN = 0.2  # objects of which less is visible are no longer there
RATE = 3e-3
PATCHES, PATCH_SIDE = 8, 28  # one for each image of a batch; 5 % of the image
PATCH_STEP, FRAME_STEP = 0.05, 0.01
STRONG = 10  # steps of the patches that figures are measured with
ANEW = 50  # rounds after which a patch begins from noise again

Harm = Callable[[list[int], Tensor], Tensor]
"""The victim's loss (B,) for images at these places of a set, as they are now."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help="adyolo, frame_fcos; default: both")] = None,
    seed: Annotated[int, typer.Option(help="of images, patches and frames")] = 0,
    steps: Annotated[int | None, typer.Option(help="of training; default: as shipped")] = None,
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
) -> None:
    """Train, measure and write."""
    make: dict[str, Callable[[int, int], tuple[dict[str, Tensor], dict[str, Any]]]] = {
        "adyolo": patch_class, "frame_fcos": frame_of_detector
    }  # fmt: skip
    for name in names or list(STEPS):
        start, count = process_time(), steps or STEPS[name]
        tensors, found = make[name](seed, count)
        file = assets / f"{name}.safetensors"
        save_file({key: value.half().contiguous() for key, value in tensors.items()}, file)
        file.chmod(0o644)
        record = {
            "sha256": file_hash(file),
            "bytes": file.stat().st_size,
            "what": "a demonstration for one small network; not the paper's",
            "command": f"python examples/make_victim_defenses.py {name} --seed {seed} --steps {count}",
            "training_cpu_seconds": round(process_time() - start),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            **found,
        }
        file.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        typer.echo(json.dumps(found, indent=1))


def patch_class(seed: int, steps: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tuned layers of fcos.tiny with a class for patches, and what is recorded of them."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    victim = load_detector("fcos.tiny")
    images, objects = boxed_batch(list(ShapeScenes(SCENES, seed=seed)))
    source = Backgrounds(list(images[:64]), hiding_patches(victim, images[64:96], objects[64:96], seed))
    network: nn.Module = with_patch_class(victim).network
    tuned = [value for key, value in network.named_parameters() if _module(key) in TUNED]
    for value in tuned:
        value.requires_grad_()
    network.train()
    optimiser = torch.optim.AdamW(tuned, RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(images), (BATCH,), generator=generator).tolist()
        drawn = [patched(images[row], objects[row], source, generator, place) for place, row in enumerate(rows)]
        targets = [{"boxes": own.boxes, "labels": own.labels} for _, own in drawn]
        loss = torch.stack(list(network([image for image, _ in drawn], targets).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(tuned, 5.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            typer.echo(f"adyolo {step + 1}/{steps} loss {loss:.3f}")
    tensors = {key: value.detach() for key, value in network.state_dict().items() if _module(key) in TUNED}
    found = {"victim": victim.weights.partition("sha256:")[2], "figures": class_figures(victim, tensors, source)}
    return tensors, found


def hiding_patches(victim: Any, images: Tensor, objects: list[Objects], seed: int) -> Tensor:
    """Patches (N,3,48,48) that were optimised to hide shapes from the detector."""
    place = torch.zeros(len(images), 1, SIDE, SIDE)
    place[..., 40:88, 40:88] = 1
    threat = {"image": Budget(eps=1.0, mask=place)}
    problem = DetectionProblem(victim, objects, objective="vanish")
    found = pgd(problem, {"image": images}, threat, steps=15, step_size=0.1, seed=seed)
    return found.inputs["image"][..., 40:88, 40:88].clone()


def patched(
    image: Tensor, objects: Objects, source: Backgrounds, generator: torch.Generator, place: int, family: str = ""
) -> tuple[Tensor, Objects]:
    """An image with a patch and its box, a sticker, or nothing, by its place in the batch; a family: with a patch."""
    kind = place % BATCH
    if kind < BATCH // 2 and not family:
        return image, objects
    down, across = (int(SIDE * (0.1 + 0.25 * _draw(generator))) for _ in range(2))
    y, x = (int(_draw(generator) * (SIDE - side)) for side in (down, across))
    chosen = family or FAMILIES[int(_draw(generator) * len(FAMILIES))]
    is_patch = bool(family) or kind > BATCH // 2
    drawn = texture(source, chosen, 48, generator) if is_patch else sticker(source, generator)
    laid, hidden = image.clone(), torch.zeros(SIDE, SIDE, dtype=torch.bool)
    laid[:, y : y + down, x : x + across] = F.interpolate(drawn, (down, across), mode="bilinear")[0]
    hidden[y : y + down, x : x + across] = True
    keep = visible_share(objects.boxes, hidden) >= HIDDEN
    boxes, labels, crowd = (field[keep] for field in objects)
    if is_patch:
        boxes = torch.cat([boxes, torch.tensor([[x, y, x + across, y + down]], dtype=boxes.dtype)])
        labels, crowd = torch.cat([labels, torch.tensor([3])]), torch.cat([crowd, torch.tensor([False])])
    return laid, Objects(boxes, labels, crowd)


def class_figures(victim: Any, tensors: dict[str, Tensor], source: Backgrounds) -> dict[str, Any]:
    """Mean IoU of the mask with patches by family, on other scenes, and the share of clean pixels masked."""
    defence = patch_defense("adyolo", detector=with_patch_class(victim, tensors), fill="grey")
    images, objects = boxed_batch(list(ShapeScenes(MEASURED, seed=TEST_SEED)))
    generator = torch.Generator().manual_seed(TEST_SEED)
    overlaps = {}
    for family in FAMILIES:
        drawn = [patched(*pair, source, generator, 0, family) for pair in zip(images, objects, strict=True)]
        mask = defence({"image": torch.stack([image for image, _ in drawn])}).mask[:, 0] > 0.5
        truth = torch.zeros_like(mask)
        for row, (_, own) in enumerate(drawn):
            x0, y0, x1, y1 = own.boxes[-1].int().tolist()
            truth[row, y0:y1, x0:x1] = True
        either = (mask | truth).flatten(1).sum(1)
        overlaps[family] = round(float(((mask & truth).flatten(1).sum(1) / either).mean()), 3)
    clean = round(float(defence({"image": images}).mask.mean()), 4)
    return {"images": len(images), "mean IoU": overlaps, "clean pixels masked": clean}


def frame_of_detector(seed: int, steps: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A frame against patches that hide shapes from fcos.tiny."""
    victim = load_detector("fcos.tiny")

    def harm(own: list[Objects]) -> Harm:
        return lambda rows, images: victim.losses(images, [own[row] for row in rows])

    seen, unseen = (
        boxed_batch(list(ShapeScenes(count, seed=at))) for count, at in ((SCENES, seed), (MEASURED, TEST_SEED))
    )
    frame = compete(seen[0], harm(list(seen[1])), seed, steps)
    return {"frame": frame}, {"figures": frame_figures(unseen[0], harm(list(unseen[1])), frame, seed)}


def compete(images: Tensor, harm: Harm, seed: int, steps: int) -> Tensor:
    """A frame (3,H,W): patches climb the victim's loss by a step, then the frame descends it, with and without them."""
    generator = torch.Generator().manual_seed(seed)
    frame = torch.full((3, SIDE, SIDE), 0.5).requires_grad_()
    patches = torch.rand(PATCHES, 3, PATCH_SIDE, PATCH_SIDE, generator=generator)
    for step in range(steps):
        if step % ANEW == ANEW - 1:
            patches[step // ANEW % PATCHES] = torch.rand(3, PATCH_SIDE, PATCH_SIDE, generator=generator)
        rows = torch.randint(len(images), (PATCHES,), generator=generator).tolist()
        places = _places(generator, PATCHES)
        now = patches.clone().requires_grad_()
        loss = harm(rows, framed(_laid(images[rows], now, places), frame.detach())).sum()
        patches = (patches + PATCH_STEP * torch.autograd.grad(loss, now)[0].sign()).clamp(0, 1)
        shown = torch.cat([_laid(images[rows], patches, places)[::2], images[rows][1::2]])
        loss = harm(rows[::2] + rows[1::2], framed(shown, frame)).sum()
        slope = torch.autograd.grad(loss, frame)[0]
        rate = FRAME_STEP * (1 - step / steps)
        frame = (frame.detach() - rate * slope.sign()).clamp(0, 1).requires_grad_()
        if (step + 1) % 100 == 0:
            typer.echo(f"frame {step + 1}/{steps} loss {loss / PATCHES:.3f}")
    return frame.detach()


def frame_figures(images: Tensor, harm: Harm, frame: Tensor, seed: int) -> dict[str, Any]:
    """The victim's mean loss without and with the frame: clean, and under patches made against each of both."""
    grey, every = torch.full_like(frame, 0.5), list(range(len(images)))
    losses = {}
    for name, border in (("none", None), ("grey", grey), ("frame", frame)):
        show = (lambda x: x) if border is None else (lambda x, border=border: framed(x, border))
        generator = torch.Generator().manual_seed(TEST_SEED)
        places = _places(generator, len(images))
        patches = torch.rand(len(images), 3, PATCH_SIDE, PATCH_SIDE, generator=generator)
        for _ in range(STRONG):
            now = patches.clone().requires_grad_()
            slope = torch.autograd.grad(harm(every, show(_laid(images, now, places))).sum(), now)[0]
            patches = (patches + PATCH_STEP * slope.sign()).clamp(0, 1)
        with torch.no_grad():
            found = harm(every, show(images)), harm(every, show(_laid(images, patches, places)))
        losses[name] = {key: round(float(one.mean()), 3) for key, one in zip(("clean", "patched"), found, strict=True)}
    return {"images": len(images), "patch steps": STRONG, "mean loss": losses}


def _module(key: str) -> str:
    """The layer of a parameter, below the head; "" in the trunk."""
    return key.removeprefix("head.").rpartition(".")[0] if key.startswith("head.") else ""


def _places(generator: torch.Generator, count: int) -> list[tuple[int, int]]:
    """Corners at which patches lie inside the frame."""
    drawn = torch.randint(8, SIDE - PATCH_SIDE - 8, (count, 2), generator=generator)
    return [(int(y), int(x)) for y, x in drawn]


def _laid(images: Tensor, patches: Tensor, places: list[tuple[int, int]]) -> Tensor:
    laid = images.clone()
    for row, (y, x) in enumerate(places):
        laid[row, :, y : y + PATCH_SIDE, x : x + PATCH_SIDE] = patches[row]
    return laid


def _draw(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


if __name__ == "__main__":
    typer.run(main)

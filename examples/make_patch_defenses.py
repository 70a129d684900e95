"""Train the networks of the learned defences against patches from a seed: the segmenter of SAC and NutNet's coder.

    python examples/make_patch_defenses.py              # both
    python examples/make_patch_defenses.py nutnet       # one

Backgrounds are photographs that scikit-image brings along and generated scenes; patches are noise, smooth colours,
mixtures, and patches optimised against the built-in BBS-Net; a quarter of the images carry stickers that are no attack,
a quarter nothing. Writes weights and a record with figures on pictures that training never saw. Both are small.
"""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from skimage import data as photographs
from torch import Tensor, nn

import rgbdsod
from rgbdsod.attacks import Budget, MapProblem, pgd
from rgbdsod.datasets import TEST_SEED, collate, load_dataset
from rgbdsod.defenses import patch_defense
from rgbdsod.defenses.patch.learned.nutnet import PIXELS, BlockCoder, to_blocks
from rgbdsod.defenses.patch.learned.segmenter import SIDE, Segmenter
from rgbdsod.models import load_model, save_asset

ASSETS = Path(rgbdsod.defenses.__file__).parent / "patch" / "assets"
SEEN = ("astronaut", "brick", "cat", "coffee", "grass", "gravel", "hubble_deep_field", "immunohistochemistry", "moon")
EVERYDAY = ("astronaut", "cat", "coffee")  # of these, the ones that are not all texture: NutNet's limits come from them
UNSEEN = ("rocket", "coins", "camera")
FAMILIES = ("noise", "smooth", "mix", "optimised")
STEPS = {"sac": 2400, "nutnet": 1500}
BATCH = 8
KNOWING = 0.2  # the last part of training, in which patches are also optimised against the segmenter
KNOWING_SHARE = 0.3  # of the loss
CUT = 64  # the side of training images, at the scale at which a whole image has 96
CEILING = 0.05  # beyond which NutNet's errors on foreign blocks count no more


class Backgrounds(NamedTuple):
    """Pictures (3,H,W) to cut from, and patches that were optimised, (N,3,h,w)."""

    pictures: list[Tensor]
    optimised: Tensor

    def crops(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """Squares at drawn places of drawn pictures, brought to one side."""
        found = []
        for picture in torch.randint(len(self.pictures), (count,), generator=generator).tolist():
            image = self.pictures[picture]
            largest = min(image.shape[1:])
            cut = int(min(side, largest) + _draw(generator) ** 2 * max(largest - side, 0))
            y, x = (int(_draw(generator) * (edge - cut + 1)) for edge in image.shape[1:])
            square = image[None, :, y : y + cut, x : x + cut]
            square = square if cut == side else F.interpolate(square, (side, side), mode="bilinear", antialias=True)
            found.append(square if _draw(generator) < 0.5 else square.flip(3))
        return torch.cat(found)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="sac, nutnet; both by default")] = None,
    seed: Annotated[int, typer.Option(help="of first weights, images and patches")] = 0,
    steps: Annotated[int | None, typer.Option(help="of training; default: as shipped")] = None,
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
    only_figures: Annotated[bool, typer.Option(help="measure the files again")] = False,
) -> None:
    """Train, measure and write."""
    train: dict[str, Callable[[Backgrounds, int, int], nn.Module]] = {"sac": train_segmenter, "nutnet": train_coder}
    seen, unseen = backgrounds(SEEN, 7), backgrounds(UNSEEN, TEST_SEED + 5)
    for name in names or list(STEPS):
        file = assets / f"{name}.safetensors"
        record = (
            json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            if only_figures
            else _trained(name, train[name], file, seed, steps or STEPS[name], seen)
        )
        record["figures"] = figures(name, file, unseen)
        file.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        typer.echo(json.dumps(record["figures"], indent=1))


def _trained(
    name: str,
    train: Callable[[Backgrounds, int, int], nn.Module],
    file: Path,
    seed: int,
    steps: int,
    seen: Backgrounds,
) -> dict[str, Any]:
    """Write the weights of one network and return its record."""
    start = perf_counter()
    return save_asset(train(seen, seed, steps), file) | {
        "what": "demonstration weights of a small network; not the paper's",
        "command": f"python examples/make_patch_defenses.py {name} --seed {seed} --steps {steps}",
        "data": {"photographs": SEEN, "scenes": "scenes:24@128x128#7", "patches": FAMILIES},
        "training_seconds": round(perf_counter() - start),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def backgrounds(names: tuple[str, ...], seed: int) -> Backgrounds:
    """Photographs by name, generated scenes, and patches optimised on these scenes."""
    pictures = [_picture(getattr(photographs, name)()) for name in names]
    scenes = load_dataset(f"scenes:24@128x128#{seed}")
    batch = collate([scenes[at] for at in range(len(scenes))])
    place = torch.zeros(len(scenes), 1, 128, 128)
    place[..., 16:64, 16:64] = 1
    inputs = {name: batch[name] for name in ("rgb", "depth")}
    threat = {"rgb": Budget(eps=1.0, mask=place)}
    found = pgd(MapProblem(load_model("bbsnet"), batch["mask"]), inputs, threat, steps=10, step_size=0.1, seed=seed)
    return Backgrounds([*pictures, *batch["rgb"]], found.inputs["rgb"][..., 16:64, 16:64].clone())


def train_segmenter(seen: Backgrounds, seed: int, steps: int) -> Segmenter:
    """Cross-entropy and Dice; in the last part also of patches optimised against the segmenter itself."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Segmenter()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        image, mask = patched(seen, BATCH, generator)
        loss = _segmentation_loss(network(image), mask)
        if step >= steps * (1 - KNOWING):
            hidden = _hidden(network, image, mask)
            loss = (1 - KNOWING_SHARE) * loss + KNOWING_SHARE * _segmentation_loss(network(hidden), mask)
        _step(optimiser, schedule, loss)
        if (step + 1) % 100 == 0:
            typer.echo(f"sac {step + 1}/{steps} loss {loss:.3f}")
    balance(network, seen, seed)
    return network


@torch.no_grad()
def balance(network: Segmenter, seen: Backgrounds, seed: int) -> None:
    """Move the last bias so that a probability of 0.5 is where the overlap with fresh training masks is best."""
    image, mask = patched(seen, 64, torch.Generator().manual_seed(seed + 1))
    logits = network(image)
    cuts = torch.linspace(-4, 4, 81)
    found = [((logits > cut) * mask).sum() / torch.maximum((logits > cut).float(), mask).sum() for cut in cuts]
    network.head.bias -= cuts[torch.stack(found).argmax()]


def train_coder(seen: Backgrounds, seed: int, steps: int) -> BlockCoder:
    """Small errors on clean blocks and large ones, up to a ceiling, on foreign blocks; then the clean quantiles."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = BlockCoder()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        clean = seen.crops(1, 160, generator)
        foreign = torch.cat([texture(seen, kind, PIXELS, generator) for kind in ("noise", "smooth") * 12])
        right, wrong = (network.errors(blocks)[0] for blocks in (to_blocks(clean), foreign))
        loss = right.mean() - wrong.clamp_max(CEILING).mean()
        _step(optimiser, schedule, loss)
        if (step + 1) % 100 == 0:
            typer.echo(f"nutnet {step + 1}/{steps} clean {right.mean():.4f} foreign {wrong.mean():.4f}")
    set_limits(network, seen, seed)
    return network


@torch.no_grad()
def set_limits(network: BlockCoder, seen: Backgrounds, seed: int) -> None:
    """The 99 % quantiles of the errors on everyday photographs and scenes."""
    clean = [seen.pictures[SEEN.index(name)] for name in EVERYDAY] + seen.pictures[len(SEEN) :]
    generator = torch.Generator().manual_seed(seed + 1)
    coarse, fine = network.errors(to_blocks(Backgrounds(clean, seen.optimised).crops(64, 160, generator)))
    network.block_limit.copy_(coarse.quantile(0.99))
    network.pixel_limit.copy_(fine.flatten().sort().values[int(0.99 * fine.numel())])


def patched(
    source: Backgrounds, count: int, generator: torch.Generator, side: int = CUT, family: str | None = None
) -> tuple[Tensor, Tensor]:
    """Images (B,3,side,side) and masks of attacks: half with a patch, a quarter each with a sticker or nothing.

    Everything is drawn at twice the size and brought down, as a camera does. A family makes all of them patches.
    """
    large = _relit(source.crops(count, 2 * side, generator), generator)
    mask = torch.zeros(count, 1, 2 * side, 2 * side)
    for row in range(count):
        kind = 0.0 if family else (row + 0.5) / count
        if kind >= 0.75:
            continue
        down, across = (int(2 * side * (0.08 + 0.3 * _draw(generator))) for _ in range(2))
        y, x = (int(_draw(generator) * (2 * side - side)) for side in (down, across))
        chosen = family or FAMILIES[int(_draw(generator) * len(FAMILIES))]
        drawn = texture(source, chosen, 48, generator) if kind < 0.5 else sticker(source, generator)
        cut = F.interpolate(drawn, (down, across), mode="bilinear" if _draw(generator) < 0.5 else "nearest")
        inside = _shape(down, across, generator)
        where = (..., slice(y, y + down), slice(x, x + across))
        large[row : row + 1][where] = torch.where(inside, cut, large[row : row + 1][where])
        mask[row : row + 1][where] = inside.float() * (kind < 0.5)
    image = F.interpolate(large, (side, side), mode="bilinear", antialias=True).clamp(0, 1)
    return image, (F.avg_pool2d(mask, 2) >= 0.5).float()


def _relit(images: Tensor, generator: torch.Generator) -> Tensor:
    """The same pictures in another light: a few photographs have to stand for many."""
    gain, gamma = torch.rand(2, len(images), 3, 1, 1, generator=generator)
    order = torch.stack([torch.randperm(3, generator=generator) for _ in images])
    mixed = images.gather(1, order[..., None, None].expand_as(images))
    return (mixed.clamp_min(1e-4) ** (0.6 + gamma) * (0.7 + 0.6 * gain)).clamp(0, 1)


def texture(source: Backgrounds, family: str, side: int, generator: torch.Generator) -> Tensor:
    """The content of one patch, (1,3,side,side)."""
    if family == "optimised":
        chosen = source.optimised[int(_draw(generator) * len(source.optimised))][None]
        return F.interpolate(chosen, (side, side), mode="bilinear")
    cells = int(3 + _draw(generator) * 5) if family == "smooth" else int(side / (1 + 3 * _draw(generator)))
    coarse = torch.rand(1, 3, cells, cells, generator=generator)
    drawn = F.interpolate(coarse, (side, side), mode="bicubic" if family == "smooth" else "nearest").clamp(0, 1)
    drawn = (drawn - 0.5) * (1 + 2 * _draw(generator)) + 0.5 if family == "smooth" else drawn
    if family == "mix":
        share = _draw(generator)
        drawn = share * drawn + (1 - share) * texture(source, "smooth", side, generator)
    return drawn.clamp(0, 1)


def figures(name: str, file: Path, unseen: Backgrounds) -> dict[str, Any]:
    """Mean IoU of the mask by family and the share of clean pixels masked, with the paper's threshold."""
    defence = patch_defense(name, weights=str(file), fill="grey")
    generator = torch.Generator().manual_seed(TEST_SEED)
    found: dict[str, Any] = {"photographs": UNSEEN, "images": 32, "mean IoU": {}}
    for family in FAMILIES:
        image, truth = patched(unseen, 32, generator, SIDE, family)
        mask = defence({"image": image}).mask
        overlap = (mask * truth).flatten(1).sum(1) / torch.maximum(mask, truth).flatten(1).sum(1).clamp_min(1)
        found["mean IoU"][family] = round(float(overlap.mean()), 3)
    clean = unseen.crops(32, SIDE, generator)
    found["clean pixels masked"] = round(float(defence({"image": clean}).mask.mean()), 4)
    return found


def _segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    probability = logits.sigmoid()
    dice = 1 - (2 * (probability * mask).sum() + 1) / (probability.sum() + mask.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, mask) + dice


def _hidden(network: Segmenter, image: Tensor, mask: Tensor) -> Tensor:
    """The patches after two sign steps away from being seen."""
    now = image
    for _ in range(2):
        now = now.detach().requires_grad_()
        slope = torch.autograd.grad(_segmentation_loss(network(now), mask), now)[0]
        now = (now + 0.08 * slope.sign() * mask).clamp(0, 1)
    return now.detach()


def sticker(source: Backgrounds, generator: torch.Generator) -> Tensor:
    """Something glued on that is no attack: a crop, a flat colour, stripes or a disc."""
    kind = _draw(generator)
    if kind < 0.4:
        return source.crops(1, 48, generator)
    one, two = torch.rand(2, 3, 1, 1, generator=generator)
    across = torch.arange(48.0)
    waves = (across * (0.1 + 0.4 * _draw(generator))).sin() > 0
    disc = (across - 24).square()[:, None] + (across - 24).square() < 300
    where = torch.zeros(48, 48, dtype=torch.bool) if kind < 0.6 else waves.expand(48, 48) if kind < 0.8 else disc
    return torch.where(where, one, two)[None]


def _shape(down: int, across: int, generator: torch.Generator) -> Tensor:
    """A rectangle or an ellipse, bool (1,1,h,w)."""
    if _draw(generator) < 0.7:
        return torch.ones(1, 1, down, across, dtype=torch.bool)
    y, x = torch.linspace(-1, 1, down)[:, None], torch.linspace(-1, 1, across)
    return (y.square() + x.square() <= 1)[None, None]


def _step(optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()


def _picture(image: np.ndarray[Any, Any]) -> Tensor:
    """(3,H,W) in [0, 1], its longer side at most 400."""
    colour = np.stack([image] * 3, -1) if image.ndim == 2 else image[..., :3]
    found = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None].float() / 255
    scale = min(400 / max(found.shape[2:]), 1.0)
    return F.interpolate(found, scale_factor=scale, mode="bilinear", antialias=True)[0].clamp(0, 1)


def _draw(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


if __name__ == "__main__":
    typer.run(main)

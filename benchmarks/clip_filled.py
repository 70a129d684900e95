"""Zero-shot evaluation batch by batch, beside several batches that fill each other up.

    python benchmarks/clip_filled.py                         # the built-in encoder on generated glyphs: seconds

Images that an attack breaks leave their batch. Where several batches are attacked together the others move up, so that
the encoder works on full batches to the end. Printed is the median over rounds in which both take turns.
"""

import time
from collections import Counter
from statistics import median
from typing import Annotated

import torch
import typer
from torch import Tensor

from rgbdsod.clip import TextBank, ZeroShot, load_clip, pixels
from rgbdsod.datasets import glyph_set
from rgbdsod.run.clip.evaluate import BATCHES
from rgbdsod.run.clip.settings import ZeroShotSettings
from rgbdsod.run.clip.strike import Scene, predicted, strike


def main(
    images: int = 128,
    batch: Annotated[int, typer.Option(help="Images that the encoder takes at once.")] = 16,
    batches: Annotated[int, typer.Option(help="How many of them are attacked together.")] = BATCHES,
    steps: int = 30,
    eps: Annotated[float, typer.Option(help="In 255ths.")] = 4.0,
    rounds: int = 3,
) -> None:
    """Print processor seconds of both, their ratio, and images to a pass."""
    torch.set_num_threads(1)
    model, data = load_clip(device="cpu"), glyph_set("shapes", images)
    zero_shot = ZeroShot(model, TextBank(model, data.prompts))
    image, labels = pixels(data, range(len(data)), side=model.side), torch.from_numpy(data.labels)
    settings = ZeroShotSettings(attacks=("pgd",), steps=steps)
    passes: Counter[bool] = Counter()
    seen: Counter[bool] = Counter()
    together = False

    def count(_module: object, inputs: tuple[Tensor, ...]) -> None:
        passes[together] += 1
        seen[together] += len(inputs[0])

    model.visual.register_forward_pre_hook(count)

    def standing(size: int) -> Tensor:
        """Which images stand after PGD, so many attacked at a time."""
        found = []
        for own in torch.arange(len(image)).split(size):
            ids = [data.ids[at] for at in own.tolist()]
            scene = Scene(zero_shot, image[own], labels[own], predicted(zero_shot, image[own], batch), ids, batch)
            found.append(strike("pgd", scene, eps / 255, settings, lambda done, total: None).predicted == labels[own])
        return torch.cat(found)

    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        spent, verdicts = [], []
        for together in (False, True):
            begin = time.process_time()
            verdicts.append(standing(batch * batches if together else batch))
            spent.append(time.process_time() - begin)
        if not torch.equal(*verdicts):
            raise SystemExit("verdicts depend on how many batches are attacked together")
        times.append((spent[0], spent[1]))
    print(f"{model.name}, {images} images, {int(verdicts[0].sum())} stand, batch {batch}, {steps} steps of eps/4")
    for place, name in enumerate(("one batch after another", f"{batches} batches together")):
        mean = seen[bool(place)] / passes[bool(place)]
        print(f"{name:<26}{median(spent[place] for spent in times):7.2f} s   {mean:5.1f} images to a pass")
    print(f"ratio {median(one / many for one, many in times):.2f}")


if __name__ == "__main__":
    typer.run(main)

"""Repeat the study of docs/clip-robustness.md: `make clip-robustness`.

Pre-trains three small dual encoders on generated glyphs and, where files with photographs are given, on these; hardens
each by every method at several rates; measures all on tasks that hardening never saw. Some two hours on two cores from
nothing; what lies in `runs/clip-study` is not computed again. `examples/write_clip_study.py` writes the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from make_clip import BATCH, Pairs, glyph_pairs, train

from rgbdsod.clip import ClipModel, load_checkpoint, pixels
from rgbdsod.clip.small import SIDE, SmallClip, SmallNetwork
from rgbdsod.datasets import ImageSet, glyph_set, load_image_set
from rgbdsod.datasets.glyph_words import TASKS
from rgbdsod.defenses.zero_shot.table import METHODS
from rgbdsod.models import read_state, save_asset
from rgbdsod.run import HardenResult, ZeroShotResult, evaluate_zero_shot, harden
from rgbdsod.run.clip.opening import DualEncoder

OUT = Path("runs/clip-study")
EPS = 8 / 255
RATES = (1e-4, 3e-4, 1e-3)
USUAL = 3e-4
"""The one rate at which all methods are compared."""
CHAIN = ("fare", "tecoa", "pmg-aft", "tga-zsr")
"""Methods that are compared at the rate that their validation chose too, in the order of published robust accuracy."""
PRETRAINING, TUNING = 2500, 300
PHOTOGRAPHS = BATCH // 4
"""Of a batch of pre-training, where there are photographs."""
IMAGES, STEPS = 128, 30
POINTS, FEW = "0:1:0.25", 64
"""Of the way from the original to the tuned weights, and the images that it is measured on."""


@dataclass(frozen=True)
class Study:
    """Everything that is trained and measured, kept in one folder.

    Args:
        out: the folder.
        photographs: .npz files with x_train, y_train, x_test, y_test and class_names.
    """

    out: Path
    photographs: Sequence[Path] = ()

    def tasks(self) -> list[ImageSet]:
        """The tuning classes and all tasks that hardening never sees."""
        own: list[ImageSet] = [glyph_set(task.name, IMAGES) for task in TASKS]
        return own + [self._photographs(path, "test").sample(IMAGES, 0) for path in self.photographs]

    def pretrained(self, seed: int) -> SmallClip:
        """A dual encoder before hardening."""
        file = self.out / f"pretrained-{seed}.safetensors"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            save_asset(train(list(self._pairs(seed)), seed, PRETRAINING), file)
        network = SmallNetwork()
        network.load_state_dict(read_state(file))
        return SmallClip(network, f"clip.study-{seed}").eval()

    def tuned(self, method: str, rate: float, seed: int) -> HardenResult:
        """It after hardening: the weights of the last update, and what they are worth on the held-out part."""
        return harden(
            self.pretrained(seed), "glyphs:tuning", preset=f"{method}/glyphs/small",
            out=self._folder(method, rate, seed), lr=rate, iterations=TUNING, validate_every=TUNING, select="last",
            seed=seed, device="cpu",
        )  # fmt: skip

    def rate(self, method: str) -> float:
        """The rate with the best mean of clean and robust accuracy on the first seed's held-out part."""
        if method not in CHAIN:
            return USUAL
        return max(RATES, key=lambda rate: self.tuned(method, rate, 0).best["score"])

    def model(self, method: str, rate: float, seed: int) -> ClipModel:
        """A hardened encoder; method "none" is the one before."""
        model = self.pretrained(seed)
        if method != "none":
            load_checkpoint(model, self.tuned(method, rate, seed).weights)
        return model

    def measured(self, method: str, rate: float, seed: int) -> ZeroShotResult:
        """Clean, under PGD and under aa-fast, on all tasks."""
        return evaluate_zero_shot(
            self.model(method, rate, seed), self.tasks(), attacks=("pgd", "aa-fast"), eps=EPS, steps=STEPS,
            device="cpu", batch=IMAGES, out=self.out / "measured" / self._folder(method, rate, seed).name,
        )  # fmt: skip

    def curve(self, method: str, rate: float, seed: int) -> ZeroShotResult:
        """Clean and robust accuracy on the way from the original weights to the tuned ones."""
        original = {name: value.clone() for name, value in self.pretrained(seed).visual.state_dict().items()}
        encoder = DualEncoder(self.model(method, rate, seed), original=original)
        return evaluate_zero_shot(
            encoder, [glyph_set(task.name, FEW) for task in TASKS if not task.tuned], attacks=("pgd", "aa-fast"),
            eps=EPS, steps=10, interpolate=POINTS, device="cpu",
            out=self.out / "curves" / self._folder(method, rate, seed).name,
        )  # fmt: skip

    def _folder(self, method: str, rate: float, seed: int) -> Path:
        return self.out / "tuned" / (f"none-{seed}" if method == "none" else f"{method}-{rate:g}-{seed}")

    def _photographs(self, path: Path, split: str) -> ImageSet:
        return load_image_set(path, split=split)

    def _pairs(self, seed: int) -> Iterator[Pairs]:
        """Glyphs with captions; and photographs with prompts, each set's share of them as large as its own."""
        yield glyph_pairs(seed, BATCH - PHOTOGRAPHS if self.photographs else BATCH)
        sets = [self._photographs(path, "train") for path in self.photographs]
        for own in sets:
            images = pixels(own, range(len(own)), side=SIDE, space="model").mul(255).round().byte()
            yield Pairs(images, [own.prompts[label] for label in own.labels], PHOTOGRAPHS // len(sets))


def main(
    photographs: Annotated[list[Path] | None, typer.Argument(help=".npz files of labelled images")] = None,
    seeds: Annotated[str, typer.Option(help="comma-separated")] = "0,1,2",
    methods: Annotated[str, typer.Option(help="comma-separated")] = ",".join(row.name for row in METHODS),
    out: Annotated[Path, typer.Option(help="folder of the runs")] = OUT,
) -> None:
    """Run what is not there yet; two processes with different methods or seeds share the work."""
    study = Study(out, photographs or ())
    numbers, names = [int(seed) for seed in seeds.split(",")], methods.split(",")
    for seed in numbers:
        _tell("none", 0.0, seed, study.measured("none", 0.0, seed))
    for method in names:
        for rate in sorted({USUAL, study.rate(method)}):
            for seed in numbers:
                _tell(method, rate, seed, study.measured(method, rate, seed))
        study.curve(method, study.rate(method), 0)


def _tell(method: str, rate: float, seed: int, result: ZeroShotResult) -> None:
    cells: Mapping[str, str] = {
        str(row["data"]): f"{100 * row['clean']:.0f}/{100 * row['robust']:.0f}"
        for row in result.rows if row["attack"] == "aa-fast"
    }  # fmt: skip
    typer.echo(f"{method} {rate:g} seed {seed}: {cells}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)

"""Train the built-in generators from a seed, on generated scenes and against the built-in BBS-Net.

    python examples/make_generators.py              # all three
    python examples/make_generators.py natural      # one

Writes each generator and, beside it, a record: command, data, figures. The perturbation generators are measured on the
built-in demo set, which training never saw, beside clean images and random noise; the image generator by how much of
unseen scenes it reconstructs. They are demonstrations: small networks, trained for minutes.
"""

import json
import platform
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import rgbdsod
from rgbdsod.attacks.generative.latent import LatentGenerator
from rgbdsod.datasets import TEST_SEED, collate, load_dataset
from rgbdsod.models import load_model
from rgbdsod.run.generator import make_generator

ASSETS = Path(rgbdsod.attacks.__file__).parent / "generative" / "assets"
DATA = {"gap": "scenes:2000@128x128#7", "advgan": "scenes:2000@128x128#7", "natural": "scenes:2000@64x64#2"}
STEPS = {"gap": 800, "advgan": 500, "natural": 1000}
BATCH = {"gap": 16, "advgan": 8, "natural": 16}
MEASURED, UNSEEN = "demo", f"scenes:200@64x64#{TEST_SEED + 2}"
EPS = 8 / 255
KEPT = ("mae", "sm", "iou")


def main(
    names: Annotated[list[str] | None, typer.Argument(help="gap, advgan, natural; all by default")] = None,
    seed: Annotated[int, typer.Option(help="of first weights, order and augmentation")] = 0,
    steps: Annotated[int | None, typer.Option(help="of training; default: as shipped")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "cpu",
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
) -> None:
    """Train, measure and write."""
    for name in names or list(STEPS):
        count = steps or STEPS[name]
        made = make_generator(
            name, load_model("bbsnet", device=device), DATA[name], steps=count, batch=BATCH[name], seed=seed,
            callback=_show,
        )  # fmt: skip
        file = assets / f"{name}.safetensors"
        made.save(file)
        record = {
            "what": "demonstration weights of a small generator; not the paper's",
            "command": f"python examples/make_generators.py {name} --seed {seed} --steps {count}",
            "bytes": file.stat().st_size,
            "origin": made.scope.origin,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "figures": _reconstruction(file) if name == "natural" else _effect(name, file),
        }
        (assets / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        typer.echo(json.dumps(record["figures"], indent=1))


def _effect(name: str, file: Path) -> dict[str, Any]:
    """Measures on the demo set, clean and within 8/255: under noise and under the generator."""
    figures: dict[str, Any] = {"data": MEASURED, "eps": "8/255"}
    for modality in ("rgb", "depth", "both"):
        how = {"modality": modality, "eps": EPS}
        drawn = rgbdsod.attack("bbsnet", MEASURED, name, generator=str(file), **how).document()
        noise = rgbdsod.attack("bbsnet", MEASURED, "noise", kind="sign", **how).document()
        figures["clean"] = _kept(drawn["clean"])
        figures[modality] = {"noise": _kept(noise["attacked"]), name: _kept(drawn["attacked"])}
    return figures


def _reconstruction(file: Path) -> dict[str, Any]:
    """Which share of the variance inside unseen images the generator draws of their own latents, and of latents."""
    model = LatentGenerator.load(file)
    unseen = load_dataset(UNSEEN)
    batch = collate([unseen[at] for at in range(len(unseen))])
    with torch.no_grad():
        image = model.image({name: batch[name] for name in model.scope.channels})
        latents = model.invert(image)
        drawn = model.draw(latents)
    left, all_ = ((image - other).square().mean((0, 2, 3)) for other in (drawn, image.mean((2, 3), keepdim=True)))
    shares = [round(1 - float(share), 3) for share in left / all_]
    return {
        "data": UNSEEN,
        "share of the variance inside an image that its reconstruction has": {"rgb": shares[:3], "depth": shares[3]},
        "root mean square error": round(float(left.mean().sqrt()), 4),
        "spread of the images' latents (1 is as drawn)": round(float(latents.std()), 3),
    }


def _kept(values: dict[str, float]) -> dict[str, float]:
    return {key: round(values[key], 4) for key in KEPT}


def _show(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        typer.echo(f"{done}/{total}")


if __name__ == "__main__":
    typer.run(main)

"""Complete settings of trainings: the published ones, and those of the small study. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from rgbdsod.defenses.zero_shot.inner import InnerAttack
from rgbdsod.defenses.zero_shot.table import METHODS, hardening_method
from rgbdsod.registry import Table

if TYPE_CHECKING:
    from rgbdsod.defenses.zero_shot.methods.base import Method


@dataclass(frozen=True)
class TuningPreset:
    """A training that needs no further setting.

    Args:
        name: what a user types: method/data/model, or method/as-released.
        method: of a row in `METHODS`.
        summary: one sentence.
        settings: of the method, where they differ from its defaults.
        attack: the inner attack.
        dataset: what it learns from.
        model: what it starts from.
        optimizer: "sgd" or "adamw".
        lr: highest learning rate.
        momentum: of "sgd".
        betas: of "adamw".
        weight_decay: of either.
        batch: images in a step.
        epochs: passes over the data; None: `steps` says how long.
        steps: updates; None: `epochs` says how long.
        warmup: updates in which the rate rises linearly to `lr`.
        schedule: "cosine": down to 0 at the end; "constant".
        late_schedule: whether the schedule moves after each update, so that the very first one has the whole rate.
        normalization: of pixels, "clip" or "imagenet".
        template: of prompts.
        negated_template: of texts that deny a class, for methods that use them.
        prompts: "fixed", or "as-released" with the releases' slips.
        attack_space: "native": images are attacked at their own size; "model": at the model's.
    """

    name: str
    method: str
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    attack: InnerAttack = field(default_factory=InnerAttack)
    dataset: str = "tinyimagenet"
    model: str = "ViT-B-32-quickgelu"
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 1e-4
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    batch: int = 128
    epochs: int | None = 10
    steps: int | None = None
    warmup: int = 1000
    schedule: Literal["cosine", "constant"] = "cosine"
    late_schedule: bool = False
    normalization: Literal["clip", "imagenet"] = "clip"
    template: str = "This is a photo of a {}"
    negated_template: str = "This is not a photo of a {}"
    prompts: Literal["fixed", "as-released"] = "fixed"
    attack_space: Literal["native", "model"] = "native"

    def build(self) -> "Method":
        """The method with its settings; imports torch."""
        return hardening_method(self.method, self.settings)


_TGA = TuningPreset("tga-zsr/tinyimagenet/vit-b-32", "tga-zsr", "as published, rate 1e-4, batch 128, 10 epochs")
_PMG = replace(_TGA, name="pmg-aft/tinyimagenet/vit-b-32", method="pmg-aft", lr=5e-5, batch=256,
               summary="the paper's loss at the model's scale, rate 5e-5, batch 256")  # fmt: skip
_TECOA = replace(_TGA, name="tecoa/tinyimagenet/vit-b-32", method="tecoa", lr=1e-5,
                 summary="the loss of the paper at its rate, on the data of the others")  # fmt: skip
_FARE = TuningPreset(
    "fare/imagenet/vit-b-32",
    "fare",
    "the ViT-B/32 recipe of its authors: PGD-10 at eps 1/255, AdamW, 20,000 steps",
    attack=InnerAttack(steps=10),
    dataset="imagenet",
    optimizer="adamw",
    lr=1e-5,
    betas=(0.9, 0.95),
    weight_decay=1e-4,
    epochs=None,
    steps=20_000,
    warmup=1400,
)
_RELEASED_PMG = replace(
    _PMG,
    name="pmg-aft/as-released",
    summary="temperature 1, divergences summed over the batch, ImageNet's mean and deviation",
    settings={"scale": 1.0, "reduction": "sum"},
    normalization="imagenet",
    prompts="as-released",
)

_PUBLISHED = [
    _TGA,
    replace(_TGA, name="tga-zsr/as-released", prompts="as-released", attack_space="model",
            summary="the same with the prompts of the release and attacks at the model's size"),
    replace(_TGA, name="comp-tga/tinyimagenet/vit-b-32", method="comp-tga", summary="as published: 0.10 and 0.07"),
    replace(_TGA, name="comp-tga/as-released", method="comp-tga", prompts="as-released", attack_space="model",
            summary="the same with the prompts of the release and attacks at the model's size"),
    replace(_TGA, name="ft-clean/tinyimagenet/vit-b-32", method="ft-clean", summary="contrast within the batch"),
    replace(_TGA, name="ft-adv/tinyimagenet/vit-b-32", method="ft-adv", summary="contrast within the batch"),
    _TECOA,
    replace(_TECOA, name="tecoa/as-released", dataset="imagenet", batch=256, prompts="as-released",
            summary="on ImageNet, batch 256"),
    replace(_TECOA, name="tecoa-lambda/tinyimagenet/vit-b-32", method="tecoa-lambda", summary="lambda 1, mu 0.5"),
    _PMG,
    _RELEASED_PMG,
    replace(_RELEASED_PMG, name="pmg-aft/first-release", summary="as-released, both divergences the other way round",
            settings={**_RELEASED_PMG.settings, "reverse": True}),
    _FARE,
    replace(_FARE, name="fare/imagenet/vit-l-14", model="ViT-L-14-quickgelu", summary="as published, eps 2/255",
            attack=InnerAttack(eps=2 / 255, steps=10)),
    replace(_FARE, name="fare/as-released", betas=(0.9, 0.999), late_schedule=True,
            summary="the code's betas, and its first update at the whole rate"),
    replace(_FARE, name="fare/tinyimagenet/vit-b-32", dataset="tinyimagenet", epochs=10, steps=None, warmup=1000,
            summary="its loss, attack and optimiser on the data and for the epochs of the others"),
    replace(_TGA, name="fare-bimodal/tinyimagenet/vit-b-32", method="fare-bimodal",
            summary="balancer ratio, kl 1, discriminator 0.1"),
]  # fmt: skip

SMALL_EPS = 8 / 255
"""What 1/255 is to ViT-B/32, for the small dual encoder: about as much of its clean accuracy goes."""

_SMALL_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ft-clean": {"clip_loss": "class"}
}  # differs from tecoa in the attack


def _small(method: str) -> TuningPreset:
    return TuningPreset(
        f"{method}/glyphs/small",
        method,
        "the small study: 300 steps of AdamW on generated images",
        settings=_SMALL_SETTINGS.get(method, {}),
        attack=InnerAttack(eps=SMALL_EPS, steps=4, step_size=SMALL_EPS / 2) if method == "fare"
        else InnerAttack(eps=SMALL_EPS, step_size=SMALL_EPS),
        dataset="glyphs",
        model="small",
        optimizer="adamw",
        lr=3e-4,
        epochs=None,
        steps=300,
        warmup=0,
        schedule="constant",
        template="this is a photo of a {}",
        negated_template="this is not a photo of a {}",
    )  # fmt: skip


TUNING_PRESETS: Table[TuningPreset] = Table("preset", [*_PUBLISHED, *(_small(row.name) for row in METHODS)])
"""All presets, by name."""

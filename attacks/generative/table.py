"""Rows of the generative attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

_HERE = "rgbdsod.attacks.generative"
_PASSES = "1 forward, after 1 of the generator"

ROWS = [
    AttackRow(
        "gap",
        f"{_HERE}.trained:gap",
        "what a network draws that was trained to raise one model's objective; no gradient, no search",
        "Poursaeed et al., Generative adversarial perturbations, 2017",
        "1712.02328",
        _PASSES,
        knowledge="none",
        norms=("linf",),
        ranges={"generator": "gap, or a .safetensors file"},
    ),
    AttackRow(
        "advgan",
        f"{_HERE}.trained:advgan",
        "as gap, but trained to look like an image to a critic and to stay short",
        "Xiao et al., Generating adversarial examples with adversarial networks, 2018",
        "1801.02610",
        _PASSES,
        knowledge="none",
        norms=("linf",),
        ranges={"generator": "advgan, or a .safetensors file"},
    ),
    AttackRow(
        "natural",
        f"{_HERE}.natural:natural",
        "the nearest latent of an image generator whose picture fools; the paper's budget is linf with eps 1",
        "Zhao et al., Generating natural adversarial examples, 2017",
        "1710.11342",
        "1 + draws (shells + halvings) forwards at most, as many of the generator",
        knowledge="score",
        ranges={
            "generator": "natural, or a .safetensors file",
            "draws": "1 or more",
            "shells": "1 or more",
            "width": "above 0, in units of the latents",
            "halvings": "0 or more",
            "detail": "true, false",
        },
    ),
]

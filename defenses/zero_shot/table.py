"""Which hardening methods exist. No torch here."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from rgbdsod.errors import UsageError
from rgbdsod.registry import Table

if TYPE_CHECKING:
    from rgbdsod.defenses.zero_shot.methods.base import Method


@dataclass(frozen=True)
class MethodRow:
    """One method.

    Args:
        name: what a user types.
        path: where it is, "module:Class".
        summary: one sentence: what it is, and what it is not.
        paper: title or authors, and year; "" where it has no paper.
        arxiv: arXiv id, or "".
        passes: over the image encoder in a step, the inner attack's T steps included: f forward, i backward to the
            images, b backward to the weights.
        tokens: whether the encoder must show patch tokens.
        text: whether texts are needed.
        labels: whether labels are needed.
        reference: what of the original model may be kept between epochs, or "".
    """

    name: str
    path: str
    summary: str
    paper: str
    arxiv: str
    passes: str
    tokens: bool = False
    text: bool = True
    labels: bool = True
    reference: str = ""

    def load(self) -> "type[Method]":
        """The method's class; imports torch."""
        module, _, name = self.path.partition(":")
        found: type[Method] = getattr(importlib.import_module(module), name)
        return found


_HERE = "rgbdsod.defenses.zero_shot.methods"
_TGA = "Yu et al., Text-Guided Attention is All You Need for Zero-Shot Robustness in Vision-Language Models, 2024"

METHODS: Table[MethodRow] = Table(
    "method",
    [
        MethodRow("ft-clean", f"{_HERE}.tecoa:FtClean", "fine-tuning on clean images: the reference",
                  _TGA, "2410.21802", "1f 1b"),
        MethodRow("ft-adv", f"{_HERE}.tecoa:FtAdv", "contrast within a batch of attacked images",
                  _TGA, "2410.21802", "(T+1)f 1b Ti"),
        MethodRow("tecoa", f"{_HERE}.tecoa:Tecoa", "cross-entropy of attacked images over the classes",
                  "Mao et al., Understanding Zero-shot Adversarial Robustness for Large-Scale Models, 2022",
                  "2212.07016", "(T+1)f 1b Ti"),
        MethodRow("tecoa-lambda", f"{_HERE}.tecoa_lambda:TecoaLambda",
                  "clean and attacked images, and their features drawn together; not the paper's TeCoA",
                  "", "", "(T+2)f 2b Ti"),
        MethodRow("fare", f"{_HERE}.fare:Fare",
                  "embeddings of attacked images stay where those of clean ones were; neither labels nor texts",
                  "Schlarmann et al., Robust CLIP, 2024", "2402.12336", "(T+1)f 1b Ti",
                  text=False, labels=False, reference="embeddings"),
        MethodRow("fare-bimodal", f"{_HERE}.fare_bimodal:FareBimodal",
                  "image and text perturbed, balanced, with a discriminator; shares only its name with fare",
                  "", "", "(T+2)f 2b Ti"),
        MethodRow("pmg-aft", f"{_HERE}.pmg_aft:PmgAft",
                  "predictions for attacked images follow the original model's, and those for clean images",
                  "Wang et al., Pre-trained Model Guided Fine-Tuning for Zero-Shot Adversarial Robustness, 2024",
                  "2401.04350", "(T+3)f 2b Ti, one of the forwards in the original model"),
        MethodRow("tga-zsr", f"{_HERE}.tga_zsr:TgaZsr",
                  "attacked images are looked at where the original model looks at clean ones",
                  _TGA, "2410.21802", "(T+2)f 2b Ti", tokens=True, reference="attention maps"),
        MethodRow("comp-tga", f"{_HERE}.tga_zsr:CompTga",
                  "the same with the map of a denying text taken away", f"{_TGA}; its extension, 2026", "2410.21802",
                  "(T+2)f 2b Ti", tokens=True, reference="attention maps"),
    ],
)  # fmt: skip
"""All methods, by name."""


def hardening_method(name: str, settings: Mapping[str, Any] | None = None, /, **more: Any) -> "Method":
    """A method with its settings; imports torch.

    Args:
        name: of a row in `METHODS`.
        settings: by name; what is not named has its default.
        more: further ones, which win.

    Raises:
        UsageError: no such method or setting, or a value that a setting cannot have.

    Example:
        >>> from rgbdsod.defenses import hardening_method
        >>> hardening_method("tga-zsr", beta=0.04).alpha
        0.08
    """
    kind = METHODS[name].load()
    given = {**(settings or {}), **more}
    known = [field.name for field in fields(kind)]
    if unknown := [key for key in given if key not in known]:
        has = f"its settings are {', '.join(known)}" if known else "it has none"
        raise UsageError(f'method {name} has no setting "{unknown[0]}"; {has}')
    return kind(**given)

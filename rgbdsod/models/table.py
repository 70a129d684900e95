"""What models exist: architecture, preprocessing, paper, licence and weights of each, as data. No torch here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rgbdsod.fusion.presets import FUSIONS
from rgbdsod.registry import Table

ASSETS = Path(__file__).parent / "assets"
"""The folder of the built-in weights."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Resize = Literal["bilinear", "antialias", "nearest"]


@dataclass(frozen=True)
class InputSpec:
    """How one input in [0, 1] becomes what the network was trained on.

    Args:
        channels: channels that a user passes.
        repeat: how often they are repeated for the network (3 for a depth map that it takes as a grey image).
        mean: subtracted after repeating, one number a network channel; None leaves the values as they are.
        std: divided by, likewise.
        near: "dark" flips the depth that rgbdsod holds as near = 1.
        resize: filter to the network's size: bilinear without or with antialiasing, or nearest.
    """

    channels: int = 3
    repeat: int = 1
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    near: Literal["bright", "dark"] = "bright"
    resize: Resize = "bilinear"


@dataclass(frozen=True)
class Paper:
    """Where an architecture was published."""

    title: str
    venue: str
    arxiv: str

    @property
    def url(self) -> str:
        """Its page on arXiv; empty if it has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


STAGES = ("early", "feature", "multistage")
"""The fusions of the three published architectures."""

REFERENCES = ("rgb", "depth")
"""The same architectures with one input alone: without them no comparison of fusions can say whether depth helps."""

UNPUBLISHED = Paper("unpublished", "unpublished", "")


@dataclass(frozen=True)
class ModelRow:
    """One model: a name that means the same network, preprocessing and weights everywhere.

    Args:
        name: what a user types.
        architecture: "bbsnet", "jldcf", "d3net", or a plug-in's own.
        builder: "module:function" that builds the network; a plug-in file writes f"{__name__}:build".
        inputs: preprocessing of each input, in the order of the network's arguments.
        size: height and width that the network works at.
        multiple: height and width must be multiples of this.
        fusion: where the modalities meet: "early", "feature" or "multistage", or "rgb" or "depth" alone; of a U-Net a
            name of `rgbdsod.fusion.FUSIONS`.
        fusions: all fusions that a user may ask for with `fusion=`; its own is the one its weights were trained for.
        paper: the publication.
        licence: of the weights.
        training: what they were trained on.
        options: arguments of the builder, so that weights and architecture cannot drift apart.
        encoders: the encoders a user may ask for with `encoder=`, by the name of the row that has it.
        pretrained: the builder loads weights itself, so that none need be given.
        parts: checkpoint files by the submodule that each fills, where one model has several.
        align_corners: how final logits are enlarged.
        probability: the network's "final" is a probability.
        asset: name of the built-in weights without its suffix, or None.
        canonical: the name that results carry; differs from `name` for a short form.
    """

    name: str
    architecture: str
    builder: str
    inputs: Mapping[str, InputSpec]
    size: tuple[int, int]
    multiple: int = 1
    fusion: str = ""
    fusions: tuple[str, ...] = ()
    paper: Paper = UNPUBLISHED
    licence: str = ""
    training: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    pretrained: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    align_corners: bool = False
    probability: bool = False
    asset: str | None = None
    canonical: str = ""

    @property
    def full_name(self) -> str:
        """The name that results carry: `bbsnet.demo` also for the short form `bbsnet`."""
        return self.canonical or self.name

    @property
    def own(self) -> bool:
        """Whether the network is one of this package, not a plug-in's."""
        return self.builder.startswith("rgbdsod.models.")

    @property
    def asset_file(self) -> Path | None:
        """The built-in weights; None if the model has none."""
        return None if self.asset is None else ASSETS / f"{self.asset}.safetensors"

    @property
    def note(self) -> str:
        """A sentence that every table made with these weights carries; empty for published weights."""
        return "" if self.asset is None else "demo weights: not comparable with published numbers"

    @property
    def record(self) -> dict[str, Any]:
        """What stands beside the built-in weights: sha256, bytes, figures, command; empty if there are none yet."""
        path = None if self.asset is None else ASSETS / f"{self.asset}.json"
        if path is None or not path.is_file():
            return {}
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record

    @property
    def sha256(self) -> str | None:
        """Checksum of the built-in weights."""
        return self.record.get("sha256")

    @property
    def bytes(self) -> int | None:
        """Size of the built-in weights."""
        return self.record.get("bytes")


RGB = InputSpec(3, mean=IMAGENET_MEAN, std=IMAGENET_STD)
"""How most networks read an image."""

_DEPTH = InputSpec(1)

_BBSNET = ModelRow(
    name="bbsnet.paper",
    architecture="bbsnet",
    builder="rgbdsod.models.bbsnet:bbsnet_paper",
    inputs={"rgb": replace(RGB, resize="antialias"), "depth": replace(_DEPTH, resize="antialias")},
    size=(352, 352),
    multiple=32,
    fusion="multistage",
    fusions=(*STAGES, *REFERENCES),
    paper=Paper("BBS-Net: RGB-D Salient Object Detection with a Bifurcated Backbone Strategy Network", "ECCV 2020",
                "2007.02713"),
    licence="MIT (the authors' release)",
    training="bring the authors' BBSNet.pth: NJU2K 1485 + NLPR 700",
    encoders={"resnet50": "bbsnet.paper"},
)  # fmt: skip

_JLDCF = ModelRow(
    name="jldcf.paper",
    architecture="jldcf",
    builder="rgbdsod.models.jldcf:jldcf_paper",
    inputs={
        "rgb": RGB,
        "depth": InputSpec(1, repeat=3, mean=IMAGENET_MEAN, std=IMAGENET_STD, near="dark"),
    },
    size=(320, 320),
    multiple=16,
    fusion="multistage",
    fusions=(*STAGES, *REFERENCES),
    paper=Paper("JL-DCF: Joint Learning and Densely-Cooperative Fusion Framework for RGB-D Salient Object Detection",
                "CVPR 2020", "2004.08515"),
    licence="none stated (the authors' release)",
    training="bring the authors' checkpoint: NJU2K 1500 + NLPR 500",
    options={"encoder": "resnet101"},
    encoders={
        "resnet101": "jldcf.paper",
        "resnet50": "jldcf.paper-resnet50",
        "vgg16": "jldcf.paper-vgg16",
        "densenet161": "jldcf.paper-densenet161",
    },
    align_corners=True,
)  # fmt: skip

_D3NET = ModelRow(
    name="d3net.paper",
    architecture="d3net",
    builder="rgbdsod.models.d3net:d3net_paper",
    inputs={"rgb": RGB, "depth": replace(_DEPTH, resize="nearest")},
    size=(224, 224),
    multiple=1,
    fusion="early",
    fusions=(*STAGES, *REFERENCES),
    paper=Paper("Rethinking RGB-D Salient Object Detection: Models, Data Sets, and Large-Scale Benchmarks",
                "TNNLS 2021", "1907.06781"),
    licence="none stated (the authors' release)",
    training="bring the authors' RgbNet.pth, RgbdNet.pth and DepthNet.pth: NJU2K 1485 + NLPR 700",
    encoders={"vgg16": "d3net.paper"},
    parts={"rgbnet": "RgbNet.pth", "rgbdnet": "RgbdNet.pth", "depthnet": "DepthNet.pth"},
    probability=True,
)  # fmt: skip


_UNET = ModelRow(
    name="unet",
    architecture="unet",
    builder="rgbdsod.models.unet_streams:unet",
    inputs={"rgb": RGB, "depth": InputSpec(1, mean=(0.449,), std=(0.226,))},  # the means over ImageNet's channels
    size=(224, 224),
    multiple=32,
    fusion="multi",
    fusions=FUSIONS,
    paper=Paper("U-Net: Convolutional Networks for Biomedical Image Segmentation", "MICCAI 2015", "1505.04597"),
    licence="MIT",
    training="train it: the neutral network of the fusion ablation",
    options={"encoder": "resnet18"},
)


def _small(paper: ModelRow, **options: Any) -> ModelRow:
    """The built-in network of an architecture: small, and trained on generated scenes by this repository."""
    return replace(
        paper,
        name=f"{paper.architecture}.demo",
        builder=paper.builder.replace("_paper", "_small"),
        size=(128, 128),
        licence="MIT",
        training="generated scenes of rgbdsod.datasets.scenes (examples/make_weights.py)",
        options=options,
        encoders={},
        parts={},
        asset=paper.architecture,
    )


_DEMOS = (
    _small(_BBSNET, encoder="resnet10t", channels=(16, 32, 64, 128), stem_width=8, width=10),
    _small(
        _JLDCF,
        encoder="resnet10t",
        channels=(16, 32, 72, 112),
        stem_width=8,
        full_width=6,
        compress=(4, 8, 10, 16, 24, 24),
        width=12,
    ),
    _small(_D3NET, encoder="resnet10t", channels=(16, 32, 64, 128), stem_width=8, width=12),
)

_ROBUST = replace(
    _DEMOS[0],
    name="bbsnet.robust",
    training="bbsnet.demo, then PGD adversarial training on both inputs at 4/255 (examples/make_weights.py)",
    asset="bbsnet.robust",
)

MODELS: Table[ModelRow] = Table(
    "model",
    [
        *_DEMOS,
        *(replace(row, name=row.architecture, canonical=row.name) for row in _DEMOS),
        _ROBUST,
        _BBSNET,
        _JLDCF,
        *(
            replace(_JLDCF, name=name, options={"encoder": encoder}, encoders={encoder: name})
            for encoder, name in _JLDCF.encoders.items()
            if name != _JLDCF.name
        ),
        _D3NET,
        _UNET,
        replace(
            _UNET,
            name="unet.small",
            builder="rgbdsod.models.unet_streams:unet_small",
            size=(128, 128),
            options={"encoder": "tu-resnet10t"},
        ),
    ],
)
"""All models, by name."""

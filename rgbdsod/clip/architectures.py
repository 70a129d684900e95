"""What a checkpoint's tensors say about the architecture they belong to."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from torch import Tensor

_NAMES_SHOWN = 2
_PLAIN = {
    "image_size",
    "layers",
    "width",
    "patch_size",
    "head_width",
    "mlp_ratio",
}  # settings of CLIP's own transformers


class VitShape(NamedTuple):
    """The sizes of a vision transformer that its tensors' shapes show."""

    width: int
    patch: int
    layers: int
    side: int
    output: int


def looks_like(state: Mapping[str, Tensor]) -> str:
    """The architecture of a checkpoint in words, with open_clip's names for it where there are some.

    Args:
        state: tensors of a whole model or of an image encoder alone.
    """
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")} or dict(state)
    shape = _vit_shape(visual)
    if shape is None:
        return "a residual network" if "layer1.0.conv1.weight" in visual else "no vision transformer"
    words = (
        f"a vision transformer of width {shape.width}, patch {shape.patch}, {shape.layers} blocks, side {shape.side}"
    )
    names = _known_names(shape)
    return f"{' or '.join(names)} ({words})" if names else words


def other_activation(architecture: str) -> str:
    """open_clip's name of the same architecture with the other activation."""
    suffix = "-quickgelu"
    return architecture.removesuffix(suffix) if architecture.endswith(suffix) else architecture + suffix


def _vit_shape(visual: Mapping[str, Tensor]) -> VitShape | None:
    needed = ("conv1.weight", "positional_embedding", "proj")
    if not all(name in visual for name in needed):
        return None
    kernel, positions, projection = (visual[name] for name in needed)
    if (kernel.ndim, positions.ndim, projection.ndim) != (4, 2, 2):
        return None
    patch = int(kernel.shape[-1])
    blocks = {name.split(".")[2] for name in visual if name.startswith("transformer.resblocks.")}
    side = patch * round((positions.shape[0] - 1) ** 0.5)
    return VitShape(int(kernel.shape[0]), patch, len(blocks), side, int(projection.shape[1]))


def _known_names(shape: VitShape) -> list[str]:
    """The first architectures of open_clip with this image encoder; none where it is not installed."""
    if find_spec("open_clip") is None:
        return []
    import open_clip

    configs = ((name, open_clip.get_model_config(name)) for name in open_clip.list_models())
    names = [name for name, config in configs if _config_shape(config) == shape]
    return sorted(names, key=len)[:_NAMES_SHOWN]  # the plain name before those of its variants


def _config_shape(config: Mapping[str, Any]) -> VitShape | None:
    """The image encoder of a plain dual encoder; None for anything else."""
    vision = config["vision_cfg"]
    plain = vision.keys() <= _PLAIN and config.keys().isdisjoint(("multimodal_cfg", "custom_text"))
    if not plain or not isinstance(vision["layers"], int) or "hf_model_name" in config["text_cfg"]:
        return None
    return VitShape(
        width=vision.get("width", 768),
        patch=vision.get("patch_size", 16),
        layers=vision["layers"],
        side=vision.get("image_size", 224),
        output=config["embed_dim"],
    )

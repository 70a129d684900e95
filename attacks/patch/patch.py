"""A patch: colours, shape and depth, as an attack finds them and a printer takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rgbdsod.attacks.patch.compose import COLOURS, Canvas, Placed, Surface, compose
from rgbdsod.attacks.patch.file import patch_files, read_patch, write_patch
from rgbdsod.attacks.patch.inverse_depth import DepthKind
from rgbdsod.errors import DataError, UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False)
class Patch:
    """One patch.

    Args:
        alpha: shape, (1,h,w) in [0, 1].
        content: colours, (3,h,w) in [0, 1]; None for a patch of depth alone.
        depth_mode: see `Surface`.
        plane: inverse depth at the centre and the tilt across and down, see `Pose.tilt`; None where there is no card.
        relief: (1,h,w): what is added to the plane (mode relief), or depth itself (mode free).
        facts: where it comes from, in JSON's types: attack, seed, victim, data, size.

    Raises:
        UsageError: parts of different sizes, an empty shape, or parts that the depth mode needs are missing.
    """

    alpha: Tensor
    content: Tensor | None = None
    depth_mode: str = "none"
    plane: tuple[float, float, float] | None = None
    relief: Tensor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        surface = Surface(self.depth_mode)
        if not bool((self.alpha >= 0.5).any()):
            raise UsageError("a patch whose alpha reaches one half nowhere covers nothing; pass a shape in its alpha")
        for name, part, channels in (
            ("alpha", self.alpha, 1),
            ("content", self.content, 3),
            ("relief", self.relief, 1),
        ):
            shape = (channels, *self.alpha.shape[-2:])
            if part is not None and tuple(part.shape) != shape:
                raise UsageError(f"a patch's {name} has shape {tuple(part.shape)}, expected {shape}")
        if self.content is None and self.depth_mode == "none":
            raise UsageError("a patch without colours and depth changes nothing; pass content, or a depth mode")
        if surface.has_card != (self.plane is not None) or (self.depth_mode in ("relief", "free")) != (
            self.relief is not None
        ):
            raise UsageError(f'depth mode "{self.depth_mode}" does not fit the plane and relief that the patch has')

    @property
    def modality(self) -> str:
        """What it changes: "rgb", "depth" or "both"."""
        if self.content is None:
            return "depth"
        return "rgb" if self.depth_mode == "none" else "both"

    def about(self, **facts: Any) -> "Patch":
        """The same patch with more facts."""
        return replace(self, facts={**self.facts, **facts})

    def files(self) -> dict[str, bytes]:
        """patch.png (8 bit, RGBA), patch.safetensors (all parts) and patch.json (facts), by name."""
        tensors = {"alpha": self.alpha, "content": self.content, "relief": self.relief}
        about = {"modality": self.modality, "depth_mode": self.depth_mode, "plane": self.plane, "facts": self.facts}
        return patch_files({name: part for name, part in tensors.items() if part is not None}, about)

    def save(self, folder: str | Path) -> None:
        """Write `files` into a folder.

        Raises:
            DataError: they cannot be written.
        """
        write_patch(Path(folder), self.files())

    @classmethod
    def load(cls, path: str | Path) -> "Patch":
        """Read what `save` wrote, or any picture, of which the facts say what was assumed.

        Args:
            path: the folder, or a file in it; or an 8-bit picture, whose transparency is the outline.

        Raises:
            DataError: it is missing, damaged, or no patch.
        """
        tensors, about = read_patch(Path(path))
        try:
            plane = about["plane"]
            return cls(
                tensors["alpha"], tensors.get("content"), about["depth_mode"],
                None if plane is None else (float(plane[0]), float(plane[1]), float(plane[2])),
                tensors.get("relief"), about["facts"],
            )  # fmt: skip
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(f"{path} holds a patch that cannot be used: {error}") from error


def apply_patch(
    inputs: Inputs,
    patch: Patch,
    places: Tensor,
    *,
    kind: DepthKind | None = None,
    focal: float | None = None,
) -> Placed:
    """Lay a patch on images.

    Args:
        inputs: rgb or image (B,3,H,W), depth (B,1,H,W), in [0, 1]; inputs that the patch does not change come back as
            they are.
        patch: what is laid on them; what has a relief or a tilt is turned with its place.
        places: where, (B,3,3): homographies from the patch's pixels (x, y, 1) to the image's, as `homographies` makes
            them; pixel centres are whole numbers.
        kind: what the values of depth mean; None: inverse depth.
        focal: in pixels; None: 1.2 times the longer side.

    Raises:
        UsageError: the inputs lack what the patch changes; places of another shape.

    Source: own; the order of the warp and the shape is that of premultiplied alpha, Porter and Duff, "Compositing
    digital images", SIGGRAPH 1984.
    """
    missing = "rgb" if patch.content is not None and not set(COLOURS) & set(inputs) else ""
    missing = missing or ("depth" if patch.depth_mode != "none" and "depth" not in inputs else "")
    if missing:
        raise UsageError(f"the patch changes {missing}, and the inputs are {', '.join(inputs)}; pass another patch")
    images = len(next(iter(inputs.values())))
    if tuple(places.shape) != (images, 3, 3):
        raise UsageError(f"places of shape {tuple(places.shape)} for {images} images; pass ({images},3,3)")
    like = next(iter(inputs.values()))

    def each(part: Tensor | None) -> Tensor | None:
        return None if part is None else part.to(like).expand(images, -1, -1, -1)

    near = None if patch.plane is None else like.new_full((images,), patch.plane[0])
    canvas = Canvas(patch.alpha.to(like).expand(images, -1, -1, -1), each(patch.content), near, each(patch.relief))
    surface = Surface(patch.depth_mode, kind or DepthKind(), focal)
    tilt = None if patch.plane is None else places.new_tensor([patch.plane[1:]]).expand(images, -1)
    return compose(inputs, canvas, places.double(), surface, tilt)

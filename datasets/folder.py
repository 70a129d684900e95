"""A folder of RGB, depth and mask files as a data set."""

from collections.abc import Sequence
from hashlib import sha256

from rgbdsod.datasets.dataset import Dataset
from rgbdsod.datasets.depth import DepthConvention, decode
from rgbdsod.datasets.hha.camera import Matrix, check_camera
from rgbdsod.datasets.images import Header, read_header, read_mask, read_raw_depth, read_rgb
from rgbdsod.datasets.layout import Layout
from rgbdsod.datasets.matching import Entry
from rgbdsod.datasets.sample import Sample
from rgbdsod.datasets.settings import FILE, FolderSettings
from rgbdsod.errors import DataError, UsageError


class Folder(Dataset):
    """Samples that lie on disk.

    Args:
        layout: where they lie.
        entries: the files of each sample.
        convention: what the values of the depth files mean.
        settings: what the folder says about itself.
        resize_depth: bring a depth map of another size to the size of the RGB instead of failing.
    """

    def __init__(
        self,
        layout: Layout,
        entries: Sequence[Entry],
        *,
        convention: DepthConvention,
        settings: FolderSettings,
        resize_depth: bool = False,
    ) -> None:
        super().__init__(
            settings.name or _name(layout),
            [entry.id for entry in entries],
            convention=convention.words + ("; resized to the RGB" if resize_depth else ""),
            warnings=layout.notes,
        )
        self.layout = layout
        self.entries = list(entries)
        self.depth_convention = convention
        self.settings = settings
        self.resize_depth = resize_depth
        self._headers: dict[int, dict[str, Header]] = {}

    def read(self, position: int) -> Sample:
        """Read the files of one sample.

        Raises:
            DataError: a file is missing or damaged, the sizes differ, or the camera is one of other images.
        """
        entry = self.entries[position]
        rgb = read_rgb(entry.rgb)
        depth = decode(read_raw_depth(entry.depth), self.depth_convention)
        mask = read_mask(entry.mask) if entry.mask else None
        sizes = {"rgb": rgb.shape[:2], "depth": depth.depth.shape}
        if mask is not None:
            sizes["mask"] = mask.shape
        self._compare(entry.id, sizes)
        if depth.depth.shape != rgb.shape[:2]:
            depth = depth.resized(rgb.shape[:2])
        return Sample(
            id=entry.id,
            rgb=rgb,
            depth=depth.depth,
            mask=mask,
            valid=depth.valid,
            depth_levels=depth.levels,
            group=self.settings.group_of(entry.id),
            camera=self._camera(entry.id, rgb.shape[:2]),
            scale=self.depth_convention.scale,
        )

    def headers(self, position: int) -> dict[str, Header]:
        """Size and format of each file of one sample.

        Raises:
            DataError: a file is missing, empty or no image.
        """
        if position not in self._headers:
            entry = self.entries[position]
            files = {"rgb": entry.rgb, "depth": entry.depth, "mask": entry.mask}
            self._headers[position] = {role: read_header(path) for role, path in files.items() if path}
        return self._headers[position]

    def check_sizes(self, position: int) -> None:
        """Compare the sizes of the files of one sample, from their headers, and the camera with them.

        Raises:
            DataError: they differ, or the camera is one of other images.
        """
        name = self.ids[position]
        self._compare(name, {role: header.size for role, header in self.headers(position).items()})
        self._camera(name, self.size(position))

    def size(self, position: int) -> tuple[int, int]:
        """(H, W) of one sample, from the header of its RGB file."""
        return self.headers(position)["rgb"].size

    def digest(self, position: int) -> str:
        """SHA-256 of the files of one sample, of how its depth is read, and of its camera."""
        entry = self.entries[position]
        total = sha256(self.convention.encode())
        for path in (entry.rgb, entry.depth, entry.mask):
            total.update(sha256(path.read_bytes() if path else b"").digest())
        if self.settings.camera is not None:
            total.update(self.settings.camera.tobytes())
        return total.hexdigest()

    def _compare(self, name: str, sizes: dict[str, tuple[int, ...]]) -> None:
        for role, size in sizes.items():
            if size == sizes["rgb"] or (role == "depth" and self.resize_depth):
                continue
            rgb, other = (f"{found[1]}x{found[0]}" for found in (sizes["rgb"], size))
            cure = ", or pass --resize-depth" if role == "depth" else ""
            raise DataError(f"id {name}: rgb is {rgb} but {role} is {other}; resize them{cure}")

    def _camera(self, name: str, size: tuple[int, int]) -> Matrix | None:
        """The folder's camera, if it is one of images of this size."""
        try:
            return None if self.settings.camera is None else check_camera(self.settings.camera, size)
        except UsageError as error:
            raise DataError(f"id {name}: {error}; the camera stands in {FILE}") from error


def _name(layout: Layout) -> str:
    """The folder's name, with its parent's where it says little: NLPR-test."""
    path = layout.path.resolve()
    name = path.stem if path.is_file() else path.name
    plain = name.lower() in ("train", "test", "val", "all", "data")
    return f"{path.parent.name}-{name}" if plain and path.parent.name else name or "data"

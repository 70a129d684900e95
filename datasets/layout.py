"""Where the files of each role lie below a folder; nothing is opened here but list files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsorted

from rgbdsod.datasets.roles import DEPTH, MASK, RGB, ROLES, Role, RoleName, is_noise
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import UnfitError, below, read_text, shown

_LISTS = (".lst", ".list")
_DEPTH_OF_SEARCH = 2
_LONGEST_LINE = 4096  # of a list file; three paths
_IMAGE_PATH = re.compile(
    rf"\S.*?(?:{'|'.join(re.escape(extension) for role in ROLES for extension in role.extensions)})(?=\s|$)",
    re.IGNORECASE,
)


@dataclass
class Layout:
    """The files of one data set, by role.

    Attributes:
        path: how a user names it.
        root: folder that `rgbdsod.toml` may lie in.
        files: for each role found, its files with their stems (without the role's prefix in a shared folder).
        where: for each role found, its folder relative to `path`, for messages.
        strangers: files that are of no role.
        notes: what a user should know about the choice of folders.
    """

    path: Path
    root: Path
    files: dict[RoleName, list[tuple[str, Path]]] = field(default_factory=dict)
    where: dict[RoleName, str] = field(default_factory=dict)
    strangers: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_layout(path: Path) -> Layout:
    """The layout that a path names.

    Args:
        path: a folder with a folder for each role, a folder in which all roles lie, a list file, a split of either
            ("NLPR/train"), or a folder with exactly one of these in it.

    Raises:
        DataError: nothing that can be read lies there.
        UsageError: several data sets lie there and the path does not say which.
    """
    try:
        return _find(path)
    except PermissionError as error:
        raise DataError(f"{error.filename} cannot be opened: permission denied") from error


def _find(path: Path) -> Layout:
    named = _named(path)
    if named is not None:
        return named
    if not path.is_dir():
        raise DataError(f"there is no folder {path}; pass one that holds {_roles_in_words()}")
    found = list(_below(path, _DEPTH_OF_SEARCH))
    if len(found) == 1:
        return found[0]
    if found:
        names = natsorted(str(layout.path) for layout in found)
        raise UsageError(f"{path} holds {len(found)} data sets; pass one of them: {', '.join(names)}")
    raise DataError(_nothing_in(path))


def _named(path: Path) -> Layout | None:
    """The layout at exactly this path."""
    if path.is_file():
        if path.suffix.lower() in (*_LISTS, ".txt"):
            return _from_list(path)
        raise DataError(f"{path} is a file; pass a folder that holds {_roles_in_words()}, or a list file (.lst)")
    if path.is_dir():
        return _from_role_folders(path) or _from_one_folder(path)
    for extension in _LISTS:
        listed = path.with_name(path.name + extension)
        if listed.is_file():
            return _from_list(listed)
    return _from_role_folders(path.parent, split=path.name) if path.parent.is_dir() else None


def _below(folder: Path, levels: int) -> Iterator[Layout]:
    """Data sets in a folder that is none itself."""
    children = natsorted(child for child in folder.iterdir() if not is_noise(child))
    for split in _splits(folder):
        layout = _from_role_folders(folder, split=split)
        if layout is not None:
            yield layout
    for child in children:
        if child.suffix.lower() in _LISTS:
            yield _from_list(child)
        elif child.is_dir():
            layout = _named(child)
            if layout is not None:
                yield layout
            elif levels > 1:
                yield from _below(child, levels - 1)


def _role_folders(folder: Path) -> dict[RoleName, list[Path]]:
    """The folders of each role, the usual name first."""
    children = [child for child in natsorted(folder.iterdir()) if child.is_dir()]
    found: dict[RoleName, list[Path]] = {}
    for role in ROLES:
        matching = [child for name in role.folders for child in children if child.name.lower() == name]
        if matching:
            found[role.name] = matching
    return found


def _splits(folder: Path) -> list[str]:
    """Names of splits where they lie inside the role folders: RGB/train, depth/train."""
    folders = _role_folders(folder)
    if not {"rgb", "depth"} <= set(folders):
        return []
    inside = [{child.name for child in folders[role][0].iterdir() if child.is_dir()} for role in ("rgb", "depth")]
    return natsorted(sorted(inside[0] & inside[1]))


def _from_role_folders(folder: Path, split: str | None = None) -> Layout | None:
    """One folder for each role; with a split, a folder of that name inside each of them."""
    folders = _role_folders(folder)
    path = folder if split is None else folder / split
    layout = Layout(path, folder)
    for role in ROLES:
        choices = [choice if split is None else choice / split for choice in folders.get(role.name, [])]
        choices = [choice for choice in choices if choice.is_dir()]
        if not choices:
            continue
        files, strangers = _files(choices[0], role)
        layout.files[role.name] = [(file.stem, file) for file in files]
        layout.where[role.name] = str(choices[0].relative_to(folder))
        layout.strangers += strangers
        if len(choices) > 1:
            others = ", ".join(choice.name for choice in choices[1:])
            layout.notes.append(f"{path} has several folders for {role.name}: {choices[0].name} is used, not {others}")
    return layout if layout.files.get("rgb") and layout.files.get("depth") else None


def _files(folder: Path, role: Role) -> tuple[list[Path], list[Path]]:
    """Files of a role in its folder, and what else lies there."""
    children = natsorted(child for child in folder.iterdir() if not is_noise(child))
    mine = [child for child in children if child.is_file() and role.reads(child)]
    return mine, [child for child in children if child.is_file() and not role.reads(child)]


def _from_one_folder(folder: Path) -> Layout | None:
    """All roles in one folder, told by prefix or suffix; files with neither are RGB if no file says it is."""
    layout = Layout(folder, folder)
    rest = [child for child in natsorted(folder.iterdir()) if child.is_file() and not is_noise(child)]
    for role in (DEPTH, MASK, RGB):
        told = {path: stem for path in rest if role.reads(path) and (stem := role.strip_affix(path.stem)) is not None}
        if role is RGB and not told:
            told = {path: path.stem for path in rest if role.reads(path)}
        layout.files[role.name] = [(stem, path) for path, stem in told.items()]
        layout.where[role.name] = "."
        rest = [path for path in rest if path not in told]
    layout.strangers = [path for path in rest if path.name != "rgbdsod.toml"]
    if not layout.files["mask"]:
        del layout.files["mask"]
    return layout if layout.files["rgb"] and layout.files["depth"] else None


def _from_list(path: Path) -> Layout:
    """Lines of "rgb depth mask", relative to the list's folder; the mask may be absent."""
    layout = Layout(path, path.parent, {"rgb": [], "depth": [], "mask": []})
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        names = _IMAGE_PATH.findall(line) if len(line) <= _LONGEST_LINE else []
        if len(names) not in (2, 3):
            raise DataError(f'{path} line {number} is {shown(line.strip())}; expected three files, "rgb depth mask"')
        for role, name in zip(ROLES, names, strict=False):
            file = _named_file(path, number, name.strip())
            # The line tells what belongs together, so the depth and the mask go by the name of the RGB.
            stem = RGB.strip(Path(names[0]).stem)
            if file.is_file():
                layout.files[role.name].append((stem, file))
            layout.where[role.name] = str(Path(name.strip()).parent)
    if not layout.where:
        raise DataError(f'{path} names no image; expected lines of three files, "rgb depth mask"')
    if "mask" not in layout.where:
        del layout.files["mask"]
    return layout


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path, errors="replace").splitlines()
    except UnfitError as error:
        raise DataError(f"{path} {error}") from error


def _named_file(path: Path, number: int, name: str) -> Path:
    """A file of a line, below the list's folder."""
    try:
        return below(path.parent, name)
    except UnfitError as error:
        raise DataError(f"{path} line {number} {error}") from error


def _roles_in_words() -> str:
    return "folders such as RGB, depth and GT"


def _nothing_in(path: Path) -> str:
    folders = _role_folders(path)
    has = natsorted(child.name for child in path.iterdir() if not is_noise(child))
    missing = [role for role in (RGB, DEPTH) if role.name not in folders]
    if folders and missing:
        role = missing[0]
        return f"{path} has no {role.name} folder (looked for {', '.join(role.folders)}; it has {', '.join(has[:8])})"
    empty = [choices[0].name for name, choices in folders.items() if name != "mask"]
    if empty:
        return f"no images in {', '.join(empty)} of {path} (looked for {', '.join(RGB.extensions)})"
    told = f"it has {', '.join(has[:8])}{' ...' if len(has) > 8 else ''}" if has else "it is empty"
    return f"{path} holds no RGB-D images: expected {_roles_in_words()} in it; {told}"

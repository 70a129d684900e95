"""What a release holds: `python tests/support/release_files.py FOLDER` checks the wheel and the sdist in a folder."""

import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST = 25e6
"""Bytes of a wheel or sdist, at most."""

_NEEDED = (
    "rgbdsod/py.typed",
    "rgbdsod/attacks/__init__.pyi",
    "rgbdsod/models/assets/bbsnet.safetensors",
    "rgbdsod/models/assets/jldcf.safetensors",
    "rgbdsod/models/assets/d3net.safetensors",
    "rgbdsod/clip/assets/clip.safetensors",
    "rgbdsod/clip/assets/clip.json",
    "rgbdsod/datasets/assets/zero_shot/flowers102.toml",
    "rgbdsod/datasets/assets/demo/",
    "rgbdsod/cli/schemas/attack-1.json",
    "rgbdsod/report/templates/",
    ".dist-info/licenses/LICENSE",
    ".dist-info/licenses/NOTICE",
)
_SOURCES = ("/pyproject.toml", "/LICENSE", "/NOTICE", "/README.md", "/attacks/core.py", "/rgbdsod/py.typed")


def absent(archive: Path) -> list[str]:
    """What a wheel (.whl) or an sdist (.tar.gz) should hold and does not."""
    if archive.suffix == ".whl":
        names, needed = zipfile.ZipFile(archive).namelist(), _NEEDED
    else:
        with tarfile.open(archive) as opened:
            names, needed = opened.getnames(), _SOURCES
    return [part for part in needed if not any(part in name for name in names)]


def main(folder: Path) -> None:
    """Print a line for each archive; end with an error where something is missing or too large."""
    archives = sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])
    faults = [] if len(archives) == 2 else [f"expected a wheel and an sdist in {folder}, found {len(archives)}"]
    for archive in archives:
        size = archive.stat().st_size
        print(f"{archive.name}: {size / 1e6:.1f} MB")
        faults += [f"{archive.name} lacks {part}" for part in absent(archive)]
        faults += [f"{archive.name} is larger than {LARGEST / 1e6:g} MB"] if size > LARGEST else []
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Pages that lie at the top of the repository, where people look for them, and belong on the site too."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "RELEASING.md", "CHANGELOG.md")


def on_files(files: "Files", *, config: "MkDocsConfig") -> "Files":
    """Add each as a page of the same name in small letters."""
    from mkdocs.structure.files import File

    for name in PAGES:
        files.append(File.generated(config, name.lower(), content=page(name)))
    return files


def page(name: str) -> str:
    """A page with its links as they are from the folder of the documentation."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    return re.sub(rf"\]\(({'|'.join(PAGES)})\)", lambda link: link[0].lower(), text)

"""Notebooks as pages: each is run while the site is built, so that what it shows is what its code does now."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

SECONDS = 600
"""What a cell may take."""

_LINK = re.compile(r"\((?P<page>(?:\.\./)*notebooks/[\w-]+)\.ipynb\)")


def on_files(files: "Files", *, config: "MkDocsConfig") -> "Files":
    """Add a page for each notebook; the notebook itself stays beside it, to be downloaded."""
    from mkdocs.structure.files import File

    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        folder = notebook.src_uri.rpartition("/")[0]
        source = Path(str(notebook.abs_src_path))
        for path, content in rendered(source):
            files.append(File.generated(config, f"{folder}/{path}", content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to notebooks, which show them where the source is read, to their pages."""
    return _LINK.sub(r"(\g<page>.md)", markdown)


def rendered(source: Path) -> Iterator[tuple[str, str | bytes]]:
    """The page of a notebook and the pictures on it, by file name.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails, which ends the build.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import MarkdownExporter

    notebook = nbformat.read(source, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":  # warnings of libraries would show paths of this machine
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    names = {"unique_key": source.stem, "output_files_dir": f"{source.stem}_files"}
    body, resources = MarkdownExporter().from_notebook_node(notebook, resources=names)
    link = f"[Download this notebook]({source.name}); what it prints is of the day on which this page was built.\n"
    yield f"{source.stem}.md", f"{body}\n\n{link}"
    yield from ((name, picture) for name, picture in resources["outputs"].items() if name in body)

"""The package works from a wheel outside the checkout, from an editable install, and beside a foreign `datasets`."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from release_files import LARGEST, absent

import rgbdsod

ROOT = Path(__file__).resolve().parents[1]
USE = """
import rgbdsod, rgbdsod.attacks, rgbdsod.datasets, rgbdsod.defenses, rgbdsod.fusion
print(rgbdsod.__file__)
print(rgbdsod.datasets.__file__)
sample = rgbdsod.load_dataset("demo")[0]
print(sample.rgb.shape, rgbdsod.load_model("bbsnet").name)
"""


def _run(code: str, cwd: Path, path: Path | None = None) -> list[str]:
    """Run code in a fresh interpreter, with `path` first on the import path."""
    env_code = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    result = subprocess.run(
        [sys.executable, "-c", env_code + code], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout's tracked folders."""
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked into a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def test_packages_are_listed_by_hand_and_complete() -> None:
    """A folder with an `__init__.py` that the list forgets would be missing from the wheel."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {Path(folder).name: name for name, folder in config["package-dir"].items()}
    found = {"rgbdsod"}
    for top, name in rooms.items():
        for init in (ROOT / top).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / top).parts
            found.add(".".join([name, *inner]))
    assert sorted(found) == sorted(config["packages"])


def test_wheel_is_complete_and_small(wheel: Path) -> None:
    """Data files, stubs and the type marker travel; nothing top-level called `datasets` does."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rgbdsod"}
    assert absent(wheel) == []
    assert wheel.stat().st_size < LARGEST


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {project["version"], citation["version"]} == {rgbdsod.__version__}
    assert citation["license"] == project["license"]
    assert f"## {rgbdsod.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_wheel_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """Everything is found inside the installed package."""
    lines = _run(USE, tmp_path, installed)
    assert Path(lines[0]) == installed / "rgbdsod" / "__init__.py"
    assert Path(lines[1]) == installed / "rgbdsod" / "datasets" / "__init__.py"


def test_checkout_without_install(tmp_path: Path) -> None:
    """The checkout alone, without an install, works from another folder: the rooms beside the package are found."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("rgbdsod", "attacks", "datasets", "defenses", "fusion", "pyproject.toml"):
        (copy / name).symlink_to(ROOT / name)
    lines = _run(USE.replace("rgbdsod.__file__", "list(rgbdsod.__path__)"), tmp_path, copy)
    assert "checkout" in lines[0] or str(ROOT) in lines[0]


def test_editable_install_from_anywhere(tmp_path: Path) -> None:
    """The environment that runs the tests has an editable or plain install; both work outside the checkout."""
    assert len(_run(USE, tmp_path)) == 3


def test_beside_a_foreign_datasets_package(installed: Path, tmp_path: Path) -> None:
    """Another package called `datasets` keeps its name, and ours keeps its own."""
    foreign = installed / "datasets"
    foreign.mkdir(exist_ok=True)
    (foreign / "__init__.py").write_text("WHO = 'foreign'\n")
    lines = _run("import datasets; print(datasets.WHO)" + USE, tmp_path, installed)
    assert lines[0] == "foreign"
    assert Path(lines[2]) == installed / "rgbdsod" / "datasets" / "__init__.py"
    assert _run("import datasets; print(datasets.WHO)", ROOT / "tests", installed) == ["foreign"]

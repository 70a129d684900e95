"""Networks between a clean and a hardened one: known ends and middle, the folder, and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_schema import problems
from run_training import NAME, SIDE, two_cones

import rgbdsod
from rgbdsod import interpolate
from rgbdsod.cli.main import run
from rgbdsod.datasets import load_dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel, build_model
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.checkpoint import Progress, save_checkpoint
from rgbdsod.run.interpolate import Interpolation

SCENES = f"scenes:1@{SIDE}x{SIDE}"


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    with two_cones():
        yield


def _ends() -> tuple[SaliencyModel, SaliencyModel]:
    """Two networks whose BatchNorm has seen different images, and differently many."""
    found = [build_model(NAME, seed=seed, device="cpu") for seed in (0, 1)]
    for count, model in enumerate(found, start=1):
        images = {
            name: torch.full((2, channels, SIDE, SIDE), count / 4) for name, channels in (("rgb", 3), ("depth", 1))
        }
        for _ in range(count):
            model.outputs(images)
    return found[0].eval(), found[1].eval()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Their weights."""
    for name, model in zip(("clean.pt", "robust.pt"), _ends(), strict=True):
        save_checkpoint(tmp_path / name, model.network, Progress())
    return [str(tmp_path / "clean.pt"), str(tmp_path / "robust.pt")]


def test_the_ends_are_bit_for_bit_and_the_middle_is_the_mean() -> None:
    clean, robust = _ends()
    ours, theirs = clean.network.state_dict(), robust.network.state_dict()
    before = {name: value.clone() for name, value in ours.items()}
    states = {alpha: interpolate(clean, robust, alpha).network.state_dict() for alpha in (0.0, 0.5, 1.0)}
    statistics = [name for name in ours if name.endswith(("running_mean", "running_var"))]
    assert statistics and not any(torch.equal(ours[name], theirs[name]) for name in statistics)
    for name, value in states[0.5].items():
        if value.is_floating_point():
            assert torch.equal(states[0.0][name], ours[name]) and torch.equal(states[1.0][name], theirs[name])
            torch.testing.assert_close(value, (ours[name] + theirs[name]) / 2)
        else:
            assert [int(state[name]) for state in states.values()] == [2, 2, 2], (
                "what counts batches is the robust one's"
            )
    assert all(torch.equal(value, before[name]) for name, value in clean.network.state_dict().items())
    assert not interpolate(clean.train(), robust, 0.5).training


def test_points_are_written_and_measured(tmp_path: Path) -> None:
    clean, robust = _ends()
    seen: list[float] = []
    line = Interpolation(clean, robust, [0.0, 1.0], out=tmp_path, data=load_dataset(SCENES),
                         attack=AttackSettings(parameters={"steps": 1}))  # fmt: skip
    points = list(line(seen.append))
    assert [point.weights.name for point in points] == ["alpha-0.pt", "alpha-1.pt"]
    assert seen == sorted(seen) and seen[-1] == 2
    for point, end in zip(points, (clean, robust), strict=True):
        again = rgbdsod.load_model(NAME, point.weights, device="cpu")
        for name, value in end.network.state_dict().items():
            assert not value.is_floating_point() or torch.equal(value, again.network.state_dict()[name])
        measured = rgbdsod.attack(end, SCENES, steps=1, save_images="none").metrics
        assert point.clean == measured["clean"]["benchmark"]["values"]
        assert point.robust == measured["results"][0]["attacked"]["benchmark"]["values"]
    assert json.loads((tmp_path / "interpolation.json").read_text()) == line.document(points)


def test_a_folder_belongs_to_its_two_networks(tmp_path: Path) -> None:
    clean, robust = _ends()
    assert len(list(Interpolation(clean, robust, [0.5], out=tmp_path / "line")())) == 1
    assert len(list(Interpolation(clean, robust, [0.25], out=tmp_path / "line")())) == 1
    with pytest.raises(UsageError, match="holds networks between two others; use another --out"):
        Interpolation(robust, clean, [0.5], out=tmp_path / "line")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no interpolation; use another --out"):
        Interpolation(clean, robust, [0.5], out=tmp_path / "mine")
    with pytest.raises(UsageError, match="is a file; --out names a folder"):
        Interpolation(clean, robust, [0.5], out=tmp_path / "mine" / "letter.txt")
    one, other = (Interpolation(*ends, [0.5]).folder for ends in ((clean, robust), (robust, clean)))
    assert one != other and one.parent == Path("runs/interpolate")


def test_the_command_writes_one_document(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "interpolate",
        *files,
        "--model",
        NAME,
        "--alpha",
        "0:1:0.5",
        "--out",
        str(tmp_path / "line"),
        "--device",
        "cpu",
    ]
    assert run([*words, "--attack", "pgd", "--steps", "1", "--data", SCENES, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    schema = Path(rgbdsod.__file__).parent / "cli" / "schemas" / "interpolate-1.json"
    assert problems(document, json.loads(schema.read_text())) == []
    assert [point["alpha"] for point in document["points"]] == [0, 0.5, 1]
    assert run([*words, "--alpha", "0.5"]) == 0
    assert "alpha-0.5.pt" in capsys.readouterr().out


WRONG = {
    "--alpha 0,2": "--alpha 2: a share of the robust weights, from 0 to 1",
    "--alpha 0:1:0": "--alpha 0:1:0: expected FROM below TO and a step above 0",
    "--alpha 0.5,0.2,0.5": "--alpha names 0.5 more than once",
    "--attack pgdd": 'no attack "pgdd"; did you mean "pgd"?',
    "--attack pgd --modality foo": "--modality foo",
    "--attack pgd --eps abc": "--eps abc: expected a number",
    "--eps 4/255": "--eps has no effect without --attack pgd",
    "--limit 3": "--limit has no effect without --attack pgd",
}


@pytest.mark.parametrize("flags", WRONG)
def test_nothing_is_written_before_all_is_checked(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str
) -> None:
    words = ["--model", NAME, "--data", SCENES, "--device", "cpu", "--out", str(tmp_path / "line"), *flags.split()]
    assert run(["interpolate", *files, *words]) == 2
    out, message = capsys.readouterr()
    assert WRONG[flags] in message and not out and not (tmp_path / "line").exists()


def test_wrong_files_are_named(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, robust = files
    (tmp_path / "text.pt").write_text("no weights")
    save_checkpoint(tmp_path / "other.pt", torch.nn.Linear(2, 2), Progress())
    for ends, code, message in (
        ((clean, "nothere.pt"), 4, "ROBUST: no weights"),
        ((str(tmp_path / "text.pt"), robust), 4, "CLEAN: "),
        ((clean, str(tmp_path / "other.pt")), 4, "ROBUST: "),
        ((clean, clean), 2, "both files hold the same weights"),
    ):
        assert run(["interpolate", *ends, "--model", NAME, "--device", "cpu", "--out", str(tmp_path / "line")]) == code
        assert message in capsys.readouterr().err
    with pytest.raises(UsageError, match="networks of different designs; pass two trainings of one --model"):
        interpolate(_ends()[0], build_model("d3net", seed=0, device="cpu"), 0.5)

"""What the commands do, print and write."""

import json
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from cli_data import copy_scenes
from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
SMALL = ["--model", "m.py:build", "--data", "scenes:3@32x32#3"]


def schema_of(document):
    name, version = document["schema"].removeprefix("rgbdsod.").split("/")
    return json.loads((SCHEMAS / f"{name}-{version}.json").read_text())


def test_attack_prints_what_it_does_and_what_came_of_it(attack):
    answer = attack("--modality", "depth", "--steps", 2)
    lines = answer.out.splitlines()
    assert lines[0].startswith("model   tiny")
    assert lines[1].startswith("data    scenes:3@32x32#3   3 images   device ")
    assert lines[2] == "attack  pgd   linf, rgb untouched, depth 8/255, 2 steps"
    assert lines[3].split() == ["clean", "attacked", "change"]
    assert lines[4].split()[:2] == ["MAE", "down"]
    assert lines[-3].startswith("fooled (IoU below 0.5)") and "of 3" in lines[-3]
    assert lines[-2].startswith("health  ")
    folder = Path(lines[-1].split()[1])
    assert folder.parts[:2] == ("runs", "attack") and folder.name.startswith("tiny-scenes-3-32x32-3-pgd-depth-")
    assert (folder / "metrics.json").is_file() and answer.err == ""
    record = json.loads((folder / "run.json").read_text())
    assert record["settings"] == tomllib.loads((folder / "config.toml").read_text())


DOCUMENTS = {
    "attack": ["attack", *SMALL, "--steps", "1", "--modality", "depth"],
    "attacks": ["attack", *SMALL, "--steps", "1", "--eps", "2/255,4/255"],
    "evaluate": ["evaluate", *SMALL],
    "plan": ["attack", *SMALL, "--dry-run"],
    "plan of evaluate": ["evaluate", *SMALL, "--dry-run"],
    "plan of train": ["train", "--data", "scenes:4", "--val", "scenes:2", "--dry-run"],
    "list": ["list"],
    "info": ["info", "pgd"],
    "info of a model": ["info", "jldcf.paper"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_is_one_document_that_fits_its_schema(document, name):
    found = document(*DOCUMENTS[name])
    assert found["schema"] == f"rgbdsod.{name.split()[0]}/1"
    assert problems(found, schema_of(found)) == []


def test_report_document_fits_its_schema(document, attack):
    assert attack("--steps", 1).code == 0
    found = document("report", "--latest")
    assert problems(found, schema_of(found)) == []
    assert Path(found["file"]).is_file()


def test_the_schema_check_sees_what_does_not_fit(document):
    found = document(*DOCUMENTS["attack"])
    schema = schema_of(found)
    assert problems({**found, "images": "3"}, schema) == ["$.images is str, not integer"]
    assert problems({**found, "extra": 1}, schema) == ["$.extra is not in the schema"]
    del found["clean"]["mae"]
    assert problems(found, schema) == ["$.clean.mae is missing"]


def test_attack_document_has_all_that_scripts_rely_on(document):
    found = document("attack", *SMALL, "--modality", "depth", "--steps", "2", "--out", "here")
    assert (found["model"], found["attack"], found["modality"], found["images"]) == ("tiny", "pgd", "depth", 3)
    assert {"mae", "sm", "em_max", "fm_max", "wfm", "iou"} <= set(found["clean"]) & set(found["attacked"])
    assert found["budget"]["depth"]["measured"] <= found["budget"]["depth"]["eps"] == 8 / 255
    assert found["passes"] == {"forward": 3, "backward": 2}
    assert found["run"] == "here" and found["seconds"] > 0


def test_the_same_command_finds_its_finished_run(attack):
    first, second = attack("--steps", 1, "--json"), attack("--steps", 1, "--json")
    assert first.out == second.out
    assert attack("--steps", 1, "--batch", 1, "--json").out == first.out
    assert len(list(Path("runs/attack").iterdir())) == 1
    attack("--steps", 1, "--seed", 1)
    assert len(list(Path("runs/attack").iterdir())) == 2


def test_config_of_a_run_repeats_it(call, attack, document):
    radii = ("--eps-rgb", "1/255", "--eps-depth", "8/255")
    one = json.loads(attack("--steps", 2, *radii, "--set", "keep=last", "--json").out)
    config = Path(one["run"]) / "config.toml"
    assert document("attack", "--config", config) == one
    plan = document("attack", "--config", config, "--steps", 3, "--dry-run")
    assert plan["settings"]["steps"] == 3 and plan["settings"]["keep"] == "last"
    assert plan["settings"]["eps_rgb"] == [1 / 255] and plan["settings"]["eps_depth"] == [8 / 255]
    plan = document("attack", "--config", config, "--eps", "4/255", "--dry-run")
    assert plan["settings"]["eps_rgb"] == plan["settings"]["eps_depth"] == [4 / 255]


def test_order_of_precedence(document, monkeypatch, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("steps = 3\nseed = 3\nrestarts = 3\n")

    def settings(*words):
        return document("attack", *SMALL, *words, "--dry-run")["settings"]

    monkeypatch.setenv("RGBDSOD_STEPS", "2")
    monkeypatch.setenv("RGBDSOD_NORM", "linf")
    assert settings()["steps"] == 2
    found = settings("--config", config, "--set", "seed=4", "--set", "restarts=4", "--restarts", "5")
    assert (found["steps"], found["seed"], found["restarts"]) == (3, 4, 5)


def test_joint_is_both_and_an_eps_for_each_input(document):
    one, other = (
        document("attack", *SMALL, "--modality", word, "--eps", "4/255", "--eps-depth", "0.1", "--dry-run")["settings"]
        for word in ("joint", "both")
    )
    assert one == other and one["modality"] == "both"
    assert (one["eps_rgb"], one["eps_depth"]) == ([4 / 255], [0.1])


def test_a_radius_for_one_input_attacks_that_input_alone(document):
    found = document("attack", *SMALL, "--eps-depth", "2/255", "--dry-run")["settings"]
    assert (found["modality"], found["eps_depth"]) == ("depth", [2 / 255]) and "eps_rgb" not in found


def test_dry_run_says_what_would_be_done_and_writes_nothing(attack, tmp_path):
    answer = attack("--dry-run")
    assert answer.code == 0
    settings = tomllib.loads(answer.out.split("work    ")[0])
    assert settings["steps"] == 20 and settings["model"] == "m.py:build"
    assert "work    3 images, 3 rows" in answer.out and "disk    about" in answer.out
    assert [path.name for path in tmp_path.iterdir()] == ["m.py"]


def test_pictures_as_many_as_asked_for(attack):
    for wanted, count in (("auto", 3), ("2", 2), ("all", 3), ("none", 0)):
        out = Path(f"run-{wanted}")
        assert attack("--steps", 1, "--save-images", wanted, "--out", out).code == 0
        assert len(list((out / "images").iterdir()) if count else []) == count


def test_evaluate_shows_the_protocols_asked_for(call):
    for words in ((), ("--postprocess", "none,minmax")):
        heads = next(line for line in call("evaluate", *SMALL, *words).out.splitlines() if "benchmark" in line)
        assert heads.split() == ["benchmark", "raw"]
    raw = call("evaluate", *SMALL, "--postprocess", "none", "--metrics", "mae,sm").out
    assert "benchmark" not in raw and "MAE" in raw and "maxF" not in raw


def test_evaluate_ready_maps(call, tmp_path):
    copy_scenes(tmp_path / "set", 3)
    answer = call("evaluate", "--maps", "set/GT", "--data", "set")
    assert answer.code == 0 and answer.out.splitlines()[0] == "maps    GT"
    assert next(line for line in answer.out.splitlines() if line.startswith("MAE")).split()[-1] == "0.000"


def test_real_triples_end_to_end(call, shared, document):
    data = shared / "data" / "rgbd_sod" / "NJU2K_demo"
    found = document(
        "attack", "--model", "m.py:build", "--data", data, "--depth-invert", "--modality", "both", "--steps", 1
    )
    assert found["images"] == 3 and found["attacked"]["mae"] > found["clean"]["mae"]
    for budget in found["budget"].values():
        assert 0 < budget["measured"] <= budget["eps"]


def test_report_fails_under_a_bound(call, attack, monkeypatch):
    assert attack("--steps", 1).code == 0
    write, pages = import_module("rgbdsod.report.write"), []
    monkeypatch.setattr(write, "render", lambda page: pages.append(page) or "page")
    assert call("report", "--latest", "--fail-under", "sm=0").code == 0
    assert len(pages) == 1
    assert call("report", "--latest", "--fail-under", "sm").code == 2
    answer = call("report", "--latest", "--fail-under", "sm=0.999")
    assert answer.code == 6 and "sm" in answer.err


def test_plugin_model_in_a_file_is_listed_attacked_and_reported(call, tmp_path):
    (tmp_path / "plug.py").write_text(
        "from rgbdsod.attacks import fgsm\n"
        "from rgbdsod.attacks.table import ATTACKS, AttackRow\n"
        "def attack(problem, inputs, threat, *, strength: float = 1.0, **common):\n"
        "    return fgsm(problem, inputs, threat, **common)\n"
        "ATTACKS.add(AttackRow('plug', f'{__name__}:attack', 'my own', 'me', '', '1', norms=('linf',)))\n"
    )
    try:
        assert "my own" in call("list", "attacks", "--plugin", "plug.py").out
        answer = call("attack", *SMALL, "--plugin", "plug.py", "--attack", "plug", "--set", "strength=1/2")
        assert answer.code == 0 and "plug" in answer.out
        assert call("report", "--latest").code == 0
    finally:
        from rgbdsod.attacks.table import ATTACKS

        del ATTACKS._rows["plug"]


def test_list_and_info_as_text(call):
    out = call("list", "models", "jldcf*").out
    assert out.startswith("models\n  jldcf ") and "bbsnet" not in out
    assert "attacks" in call("list").out
    out = call("info", "pgd").out
    assert "--steps" in out and "1706.06083" in out


def test_doctor_fails_on_bad_data(call, tmp_path):
    copy_scenes(tmp_path / "set", 2)
    (tmp_path / "set" / "RGB" / "0.png").write_bytes(b"")
    answer = call("doctor", "--data", "set")
    assert answer.code == 6 and "FAIL  data" in answer.out and "checks failed" in answer.out


def test_train_writes_a_run_that_can_be_used(call, document):
    words = ["train", "--data", "scenes:4", "--val", "scenes:2", "--iterations", "1", "--batch", "2", "--workers", "0"]
    found = document(*words)
    assert problems(found, schema_of(found)) == []
    record = json.loads((Path(found["run"]) / "run.json").read_text())
    assert (record["status"], record["command"]) == ("finished", "train")
    assert Path(found["weights"]).is_file()
    again = document(*words)
    assert again == found
    answer = call("evaluate", "--model", "bbsnet", "--weights", found["weights"], "--data", "scenes:2@64x64")
    assert answer.code == 0 and "MAE" in answer.out


def test_adversarial_training_is_another_run(document):
    words = ["train", "--data", "scenes:4@64x64", "--val", "scenes:2@64x64", "--iterations", "1", "--batch", "2"]
    plain = document(*words, "--dry-run")
    hard = [*words, "--workers", "0", "--adversarial"]
    assert not {"adversarial", "modality", "eps", "steps"} & set(plain["settings"])
    plan = document(*hard, "pgd", "--modality", "joint", "--dry-run")
    assert plan["run"] != plain["run"] and plan == document(*hard, "pgd", "--eps", "8/255", "--dry-run")
    found = document(*hard, "pgd", "--modality", "depth", "--eps", "0.1", "--steps", "1")
    config = tomllib.loads((Path(found["run"]) / "config.toml").read_text())
    assert [config[name] for name in ("adversarial", "modality", "eps", "steps")] == ["pgd", "depth", 0.1, 1]
    again = document("train", "--config", Path(found["run"]) / "config.toml", "--dry-run")
    assert again["run"] == found["run"]


def test_progress_in_a_log_is_a_line_now_and_then(attack, monkeypatch):
    from rgbdsod.cli import screen

    monkeypatch.setattr(screen, "_LOG_EVERY", 0.0)
    lines = attack("--steps", 1).err.splitlines()
    assert lines[-1].startswith("attack  100% 3/3 images")
    for quiet in ("--quiet", "--no-progress"):
        assert attack("--steps", 1, "--restart", quiet).err == ""

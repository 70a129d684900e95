"""Bad input: one readable sentence with its fix, the right exit code, and no work done before it."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cli_data import copy_scenes

from rgbdsod.run.attack_task import AttackTask

USAGE = [
    ("attack --model bbs-net", 'no model "bbs-net"; did you mean "bbsnet"? (rgbdsod list models)'),
    ("attack --attack pdg", 'no attack "pdg"; did you mean "pgd"? (rgbdsod list attacks)'),
    ("attack --objective bec", 'no objective "bec"; did you mean "bce"? (rgbdsod list objectives)'),
    ("attack --data dmeo", 'no dataset or folder "dmeo"; did you mean "demo"? (rgbdsod list datasets)'),
    (
        "attack --attack fgsm --steps 5",
        'attack "fgsm" takes no --steps (it takes --eps --norm); for several steps use --attack pgd',
    ),
    ("attack --eps 8", "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
    ("attack --eps-depth 16", "--eps-depth 16 is larger than the whole range [0, 1]; did you mean 16/255?"),
    ("attack --eps eight", "--eps eight: expected a number, or a fraction such as 8/255"),
    ("attack --modality thermal", "--modality thermal: bbsnet has inputs rgb, depth"),
    (
        "attack --modality rgb --eps-depth 1/255",
        "--eps-depth has no effect: --modality rgb leaves depth untouched",
    ),
    (
        "attack --modality both --eps-depth 2/255",
        "rgb is attacked too, but has no radius; pass --eps-rgb, or --eps for all inputs",
    ),
    ("attack --norm l3", 'attack "pgd" has norms linf, l2, l1, l0; got --norm l3'),
    ("attack --attck pgd", "no option --attck; did you mean --attack? (rgbdsod attack --help)"),
    ("attak", 'no command "attak"; did you mean "attack"? (rgbdsod --help)'),
    ("attack --model m.py:build --steps -1", "--steps -1 is too few; pass 1 or more"),
    ("attack --model m.py:build --restarts 0", "--restarts 0 runs nothing; pass 1 or more"),
    ("attack --levels 300", "--levels 300: expected 256 (8 bit) or 65536 (16 bit)"),
    (
        "attack --model m.py:build --step-size -1",
        "--step-size -1 does not move; pass a size above 0, for example 2/255",
    ),
    (
        "attack --success dice<0.5",
        '--success "dice<0.5" is no rule; write MEASURE<NUMBER or MEASURE>=NUMBER, for example iou<0.5, '
        "with MEASURE one of iou, flipped, mae or target-iou",
    ),
    ("attack --set stps=3", 'no setting "stps"; did you mean "steps"? (rgbdsod attack --help)'),
    ("attack --set steps", "--set steps: expected KEY=VALUE, for example --set steps=40"),
    ("attack --batch some", "--batch some: expected a number from 1 on, or auto"),
    ("attack --config none.toml", "--config none.toml: no such file or directory"),
    ("attack --limit 0 --model m.py:build", "--limit 0 selects no image; pass 1 or more"),
    ("attack --data scenes:0 --model m.py:build", "scenes:0 holds no image; ask for 1 or more"),
    ("attack --device tpu", 'no device "tpu"; use auto, cpu, cuda, cuda:N or mps'),
    (
        "attack --model none.py:build",
        "no file none.py; --model takes a name of `rgbdsod list models` or FILE.py:function",
    ),
    ("attack --empty drop --model m.py:build", '--empty "drop": expected count or skip'),
    ("evaluate --maps x --model bbsnet", "--maps DIR needs no model; leave out --model, or --maps"),
    ("evaluate --postprocess max", '--postprocess "max": expected minmax, none, or both with a comma'),
    (
        "evaluate --model m.py:build --metrics iuo",
        'no metric "iuo"; there are mae, sm, wfm, em_adp, em_mean, em_max, fm_adp, fm_mean, fm_max, iou, ber',
    ),
    ("train --model m.py:build", "--model m.py:build: train takes a name of `rgbdsod list models`"),
    ("train --recipe smal", 'no recipe "smal"; there are bbsnet, d3net, jldcf, small'),
    ("train --dtype float16", "--dtype float16: train computes in auto, float32, bfloat16"),
    ("train --adversarial pdg", 'no hardening "pdg"; did you mean "pgd"? (rgbdsod list hardenings)'),
    (
        "train --adversarial both",
        "--adversarial both: it names the method now, and --modality the inputs; "
        "type --adversarial pgd --modality both",
    ),
    ("train --adversarial-eps 4/255", "--adversarial-eps is --eps now; type --adversarial pgd --eps 4/255"),
    ("train --adversarial-steps 3", "--adversarial-steps is --steps now; type --adversarial pgd --steps 3"),
    ("train --steps 3", "--steps has no effect without --adversarial fast, free, pgd, trades"),
    ("train --adversarial pgd --modality thermal", "--modality thermal: bbsnet has inputs rgb, depth"),
    ("train --adversarial pgd --steps 0", "--steps 0 is too few; pass 1 or more"),
    ("train --adversarial pgd --eps 8", "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
    ("train --adversarial pgd --eps -1", "--eps -1 is not a radius; pass 0 or more, for example 8/255"),
    ("train --adversarial trades --beta -1", "--beta -1: a weight of 0 or more, such as 6"),
    (
        "train --adversarial free --steps 3",
        "--steps has no effect with --adversarial free; its settings are --replays",
    ),
    ("train --adversarial free --replays 0", "--replays 0 is too few; pass 1 or more, such as 4"),
    (
        "train --adversarial free --modality worst",
        "--adversarial free has one backward pass for all inputs, so it cannot find the worst of them; "
        "pass --modality both or alternate, or --adversarial pgd",
    ),
    ("train --adversarial fast --alpha 0", "--alpha 0 does not move; pass radii above 0, such as 1.25"),
    (
        "train --fusion rgb --adversarial pgd --modality worst",
        "--modality worst chooses between two inputs or more, and only rgb is attacked; pass --modality rgb",
    ),
    ("train --ema 1", "--ema 1: a share between 0 and 1, such as 0.995"),
    (
        "train --attention-consistency 1",
        "--attention-consistency compares attacked inputs with clean ones; pass --adversarial pgd too",
    ),
    (
        "train --adversarial pgd --model-constraint 1",
        "--model-constraint keeps the network near the one that the training begins with, which is untrained; "
        "pass --init FILE with the weights of a clean training",
    ),
    (
        "train --adversarial pgd --attention-consistency -1",
        "--attention-consistency -1: a weight of 0 or more, such as 1",
    ),
    ("interpolate a.pt b.pt --steps 3", "--steps has no effect without --attack pgd"),
    (
        "interpolate a.pt b.pt --alpha 1:0:0.5",
        "--alpha 1:0:0.5: expected FROM below TO and a step above 0, for example 0:1:0.1",
    ),
    ("info pdg", 'nothing is called "pdg"; did you mean "pgd"? (rgbdsod list)'),
    (
        "list nothing*",
        'nothing matches "nothing*" among models, attacks, objectives, datasets, metrics, methods, presets, detectors, '
        "defenses, patch-defenses, hardenings",
    ),
    ("report", "name the folder of a run, or pass --latest"),
]


@pytest.mark.parametrize(("line", "message"), USAGE, ids=[line for line, _ in USAGE])
def test_wrong_names_and_values(call, tmp_path, line, message):
    before = set(tmp_path.iterdir())
    answer = call(*line.split())
    assert answer.err == f"rgbdsod: {message}\n"
    assert (answer.code, answer.out) == (2, "")
    assert set(tmp_path.iterdir()) == before | {tmp_path / "m.py"}


@pytest.mark.parametrize(
    "words", ["--lr 5", "--iterations 0", "--iterations 2 --epochs 1", "--init none.pt", "--device tpu"]
)
def test_a_training_that_is_refused_leaves_no_run(call, words):
    answer = call("train", "--data", "scenes:4@64x64", "--val", "scenes:2@64x64", *words.split())
    assert answer.code in (2, 4) and answer.err.count("\n") == 1
    assert not list(Path().rglob("run.json")) and not list(Path("runs/train").glob("*"))


def test_values_of_the_wrong_type_name_the_flag(call):
    answer = call("attack", "--steps", "many")
    assert answer.code == 2 and answer.err.startswith("rgbdsod: --steps: ") and "rgbdsod attack --help" in answer.err
    answer = call("info")
    assert answer.code == 2 and "NAME" in answer.err.upper()


def test_changed_settings_on_resume(attack):
    assert attack("--steps", 2, "--out", "x", "-q").code == 0
    answer = attack("--steps", 4, "--out", "x")
    assert answer.err == "rgbdsod: this folder was made with steps=2, now 4; use --restart, or another --out\n"
    assert (answer.code, answer.out) == (2, "")
    assert attack("--steps", 4, "--out", "x", "--restart", "-q").code == 0


def test_a_folder_of_somebody_else(attack, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.tex").write_text("x")
    answer = attack("--out", "thesis", "--restart")
    assert (answer.code, answer.err) == (
        2, "rgbdsod: thesis is not empty and holds no run of rgbdsod; use another --out\n"
    )  # fmt: skip


def test_missing_depth_and_other_sizes(call, tmp_path):
    copy_scenes(tmp_path / "set", 4)
    for number in (1, 3):
        (tmp_path / "set" / "depth" / f"{number}.png").unlink()
    answer = call("attack", "--model", "m.py:build", "--data", "set")
    assert answer.code == 3
    assert answer.err.startswith("rgbdsod: no depth image for 2 of 4 ids in set: 1, 3 (looked for depth/ID.png")
    copy_scenes(tmp_path / "other", 2)
    cv2.imwrite(str(tmp_path / "other" / "depth" / "0.png"), np.eye(16, dtype=np.uint8) * 200)
    answer = call("attack", "--model", "m.py:build", "--data", "other")
    assert answer.code == 3
    assert answer.err == ("rgbdsod: id 0: rgb is 32x32 but depth is 16x16; resize them, or pass --resize-depth\n")


@pytest.mark.parametrize(
    ("name", "content"), [("RGB/1.png", b""), ("depth/1.png", b"hello, I am text"), ("GT/1.png", None)]
)
def test_damaged_images(call, tmp_path, name, content):
    copy_scenes(tmp_path / "set", 2)
    path = tmp_path / "set" / name
    path.write_bytes(path.read_bytes()[:60] if content is None else content)
    answer = call("attack", "--model", "m.py:build", "--data", "set")
    assert answer.code == 3 and answer.err.count("\n") == 1 and str(Path("set") / name) in answer.err
    assert not (tmp_path / "runs").exists()


def test_masks_without_foreground(call, tmp_path):
    copy_scenes(tmp_path / "set", 3)
    cv2.imwrite(str(tmp_path / "set" / "GT" / "1.png"), np.zeros((32, 32), np.uint8))
    words = ("evaluate", "--model", "m.py:build", "--data", "set", "-q")
    answer = call(*words)
    assert answer.code == 0
    assert answer.err == (
        "warning: id 1: mask has no foreground; F and S are undefined, counted as 0 (--empty skip leaves it out)\n"
    )
    answer = call(*words, "--empty", "skip", "--json")
    assert answer.err == "" and '"images": 2' in answer.out


def test_a_folder_with_one_image(call, tmp_path):
    copy_scenes(tmp_path / "set", 1)
    answer = call("attack", "--model", "m.py:build", "--data", "set", "--steps", 1)
    assert answer.code == 0 and "of 1 " in answer.out


def test_memory(attack, monkeypatch):
    original = AttackTask.compute

    def compute(self, part, store, advance):
        if len(part) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, part, store, advance)

    monkeypatch.setattr(AttackTask, "compute", compute)
    answer = attack("--steps", 1, "--batch", 2)
    assert (answer.code, answer.err) == (0, "rgbdsod: out of memory at batch 2; continuing with 1\n")

    def never(self, part, store, advance):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(AttackTask, "compute", never)
    answer = attack("--steps", 2, "--batch", 2)
    assert answer.code == 5
    assert answer.err.splitlines()[-1].startswith("rgbdsod: out of memory at batch 1; ")


def test_a_device_that_is_not_here(attack):
    answer = attack("--device", "cuda:63")
    assert answer.code == 5 and answer.err.startswith('rgbdsod: device "cuda:63" is not here; there is ')


def test_full_disk(attack, monkeypatch, tmp_path):
    original, room = Path.write_bytes, [12]

    def limited(self, content):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", limited)
    answer = attack("--steps", 1, "--out", "x")
    assert answer.code == 3 and answer.err.count("\n") == 1
    assert "no space left on the disk; free some and give the same command again, or use another --out" in answer.err
    assert not list(tmp_path.rglob("*.tmp"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert attack("--steps", 1, "--out", "x").code == 0


def test_a_bug_is_one_line_and_its_traceback_is_kept(attack, monkeypatch):
    def broken(self, part, store, advance):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(AttackTask, "compute", broken)
    answer = attack("--steps", 1)
    assert answer.code == 1 and answer.err.startswith(
        "rgbdsod: a bug here: ZeroDivisionError: oh (the traceback is in "
    )
    path = Path(answer.err.split("the traceback is in ")[1].rstrip(")\n"))
    assert "Traceback" in path.read_text() and "rgbdsod attack --model m.py:build" in path.read_text()


def test_weights_that_do_not_exist_or_fit(call, tmp_path):
    answer = call("attack", "--model", "bbsnet.paper", "--weights", "none.pth")
    assert answer.code == 4 and "none.pth" in answer.err
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    answer = call("attack", "--model", "bbsnet.paper", "--weights", "broken.pth")
    assert answer.code == 4 and answer.err.count("\n") == 1 and "broken.pth" in answer.err

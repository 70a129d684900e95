"""Fitting one noise on a set and measuring it on others: by call and by command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cli_schema import problems
from run_models import scenes, tiny

from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.cli.main import run
from rgbdsod.datasets import Scenes
from rgbdsod.errors import UsageError
from rgbdsod.run.universal import fit_universal
from rgbdsod.run.universal_measure import apply_universal

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
EPS = {"depth": 0.1}


@pytest.fixture(scope="module")
def fitted():
    return fit_universal(tiny(), scenes(8), eps=EPS, epochs=4, batch=4)


def test_a_fitted_noise_harms_images_it_has_not_seen(fitted):
    found = apply_universal(fitted, tiny(), Scenes(6, size=(32, 32), seed=77))
    clean, random, attacked = (found.metrics[state] for state in ("clean", "random", "attacked"))
    assert attacked["mae"] > random["mae"] > clean["mae"] - 1e-3
    assert found.metrics["images"] == len(found.samples) == 6
    assert found.metrics["budget"]["depth"]["measured"] <= 0.1
    assert not found.metrics["same_data"]
    assert found.metrics["notes"] == []
    lines = found.summary().splitlines()
    assert [line.split()[0] for line in lines] == ["MAE", "clean", "random", "universal", "fooled:", "radius", "fitted"]


def test_facts_say_where_a_noise_comes_from(fitted):
    facts = fitted.facts
    assert (facts["model"], facts["data"], facts["images"], facts["method"]) == ("tiny", scenes(8).name, 8, "sgd")
    assert facts["fingerprint"] == scenes(8).fingerprint
    assert len(facts["fooled"]) == 4
    assert facts["forward"] == 8 * 4
    assert set(fitted.noise) == {"depth"}
    json.dumps(facts)


def test_the_fitted_set_and_another_model_are_named(fitted):
    model = tiny()
    model.name = "other"
    notes = apply_universal(fitted, model, scenes(8)).metrics["notes"]
    assert notes[0].startswith("these are the images that the noise was fitted on")
    assert notes[1] == "fitted against tiny and measured on other: a transfer"


def test_the_batch_does_not_change_what_is_measured(fitted):
    one, two = (apply_universal(fitted, tiny(), scenes(5), batch=batch) for batch in (1, 3))
    assert one.samples == two.samples


def test_unmeasured_depth_stays():
    """Scenes have holes; a noise on all of depth leaves them alone, unless they are free."""
    data = scenes(4)
    holes = torch.stack([torch.from_numpy(~sample.valid) for sample in data])
    assert holes.any()
    one, free = (fit_universal(tiny(), data, eps=EPS, epochs=1, holes=word) for word in ("keep", "free"))
    everywhere = holes.all(0)
    assert (one.noise["depth"][0, 0][everywhere] == 0).all()
    assert not torch.equal(one.noise["depth"], free.noise["depth"])


def test_deepfool_is_the_other_method():
    found = fit_universal(tiny(), scenes(4), method="deepfool", eps=EPS, epochs=2, success="iou<0.45")
    assert found.facts["attack"] == "uap"
    assert found.facts["success"] == "iou<0.45"
    assert (found.noise["depth"] != 0).any()


def test_a_noise_for_both_inputs_has_two_radii():
    found = fit_universal(tiny(), scenes(4), eps={"rgb": 2 / 255, "depth": 8 / 255}, epochs=2, norm="linf")
    assert found.noise["rgb"].abs().amax() <= 2 / 255 + 1e-7
    assert found.budgets["depth"].eps == 8 / 255


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"method": "adam"}, 'no method "adam"; methods are sgd, deepfool'),
        ({"overshoot": 0.1}, 'method "sgd" takes no --overshoot \\(it takes --epochs --step-size --cap\\)'),
        ({"objective": "bse"}, 'no objective "bse"; did you mean "bce"'),
        ({"eps": [0.1, 0.2]}, "2 radii; a noise is fitted within one, so give one and repeat the command"),
        ({"holes": "fill"}, '--holes "fill": expected keep or free'),
        ({"norm": "l1", "eps": 3.0}, "a universal noise takes --norm linf, l2, not l1"),
    ],
)
def test_what_does_not_fit(settings, text):
    with pytest.raises(UsageError, match=f"^{text}"):
        fit_universal(tiny(), scenes(2), **settings)


def test_a_noise_for_an_input_that_the_model_has_not(fitted):
    lost = Universal({"thermal": torch.zeros(1, 1, 4, 4)}, {"thermal": fitted.budgets["depth"]})
    with pytest.raises(UsageError, match=r"^the noise is for thermal; tiny has inputs rgb, depth$"):
        apply_universal(lost, tiny(), scenes(2))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text("from run_models import tiny as build\n")

    def answer(*words):
        capsys.readouterr()
        code = run(["universal", *[str(word) for word in words]])
        return code, *capsys.readouterr()

    return answer


FIT = ("fit", "--model", "m.py:build", "--data", "scenes:4@32x32#3", "--modality", "depth", "--epochs", "2")
APPLY = ("--model", "m.py:build", "--data", "scenes:3@32x32#9")


def schema(document):
    return json.loads((SCHEMAS / f"{document['schema'].removeprefix('rgbdsod.').replace('/', '-')}.json").read_text())


def test_commands(call):
    code, out, err = call(*FIT, "--eps", "8/255", "--out", "my noise.safetensors")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("model   tiny")
    assert lines[2] == "noise   sgd   depth linf 8/255"
    assert lines[3].startswith("fooled  ") and lines[3].endswith(" of the images, by epoch")
    assert lines[4] == ("saved   my noise.safetensors    measure with: rgbdsod universal apply 'my noise.safetensors'")
    assert Universal.load("my noise.safetensors").facts["data"].startswith("scenes:4")
    code, out, err = call("apply", "my noise.safetensors", *APPLY)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[3:6]] == ["clean", "random", "universal"]


def test_documents_fit_their_schemas(call):
    found = json.loads(call(*FIT, "--eps-depth", "0.1", "--size", "16x24", "--out", "n", "--json")[1])
    assert problems(found, schema(found)) == []
    assert found["sizes"] == {"depth": [1, 16, 24]}
    found = json.loads(call("apply", "n", *APPLY, "--sizing", "tile", "--json")[1])
    assert problems(found, schema(found)) == []
    assert found["fit"]["method"] == "sgd"


@pytest.mark.parametrize("words", [["universal"], ["universal", "fit", "--help"], ["universal", "fit", "--model", "x"]])
def test_help_and_wrong_names_import_no_torch(words, tmp_path):
    code = (
        f"import sys\nfrom rgbdsod.cli.main import run\nrun({words!r})\nprint('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("fit", "--eps", "8"), 2, "--eps 8 is larger than the whole range [0, 1]; did you mean 8/255?"),
        (("fit", "--eps", "1/255,2/255"), 2, "2 radii; a noise is fitted within one"),
        (("fit", "--eps", "0.1", "--eps-rgb", "0.1"), 2, "--eps is for all attacked inputs; pass it alone, or"),
        (("fit", "--modality", "thermal"), 2, "--modality thermal: bbsnet has inputs rgb, depth"),
        (("fit", "--method", "adam"), 2, 'no method "adam"; methods are sgd, deepfool'),
        (("fit", "--objective", "bse"), 2, 'no objective "bse"; did you mean "bce"'),
        (("fit", "--size", "16"), 2, "--size 16: expected HxW, for example 128x128"),
        (("fit", "--step-size", "x"), 2, "--step-size x: expected a number, or a fraction such as 8/255"),
        (("fit", "--set", "colour=red"), 2, 'no setting "colour"'),
        (("apply", "none.safetensors"), 3, "cannot read none.safetensors: no such file"),
        (("fit", "--colour", "red"), 2, "no option --colour"),
        (("fit", "--steps", "3"), 2, 'method "sgd" takes no --steps (it takes --epochs --step-size --cap)'),
        (("paint",), 2, "no such command 'paint' (rgbdsod universal --help)"),
        (("apply",), 2, "FILE is missing (rgbdsod universal apply --help)"),
        (("apply", "m.py"), 3, "m.py is damaged, or no safetensors file"),
    ],
)
def test_mistakes(call, words, code, text):
    found, out, err = call(*words)
    assert (found, out) == (code, "")
    assert err.startswith(f"rgbdsod: {text}")

"""A user's own network: from a function in a file, or from a row that a plug-in adds."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models import zoo
from rgbdsod.models.table import MODELS, InputSpec, ModelRow
from rgbdsod.models.zoo import load_model
from rgbdsod.registry import Table


def failure(name: str, **options: object) -> str:
    """The message with which loading fails."""
    with pytest.raises((UsageError, WeightsError)) as error:
        load_model(name, device="cpu", **options)  # type: ignore[arg-type]
    return str(error.value)


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(
        "from torch import nn\n"
        "from rgbdsod import wrap\n"
        "def plain():\n    return Net()\n"
        "def build():\n    return wrap(Net(), mean=(0.5,) * 3, std=(0.5,) * 3, name='mine')\n"
        "def nothing():\n    return 3\n"
        "def broken():\n    return 1 / 0\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.head = nn.Conv2d(4, 1, 1)\n"
        "    def forward(self, rgb, depth):\n"
        "        import torch\n        return self.head(torch.cat([rgb, depth], 1))\n"
    )
    return path


def test_a_function_in_a_file_gives_a_model(user_file: Path, tmp_path: Path) -> None:
    inputs = {"rgb": torch.rand(1, 3, 8, 8), "depth": torch.rand(1, 1, 8, 8)}
    model = load_model(f"{user_file}:build", device="cpu")
    assert (model.name, model(**inputs).shape, model.training) == ("mine", (1, 1, 8, 8), False)
    assert load_model(f"{user_file}:plain", device="cpu").name == "mine.plain"
    weights = tmp_path / "w.pth"
    torch.save({"state_dict": model.network.state_dict()}, weights)
    loaded = load_model(f"{user_file}:plain", weights=weights, device="cpu")
    assert torch.equal(loaded.network.head.weight, model.network.head.weight)
    torch.save({"bias": torch.zeros(1)}, weights)
    assert "2 of 2 keys are missing (head.weight, head.bias)" in failure(f"{user_file}:plain", weights=weights)


def test_mistakes_in_a_users_file_are_explained(user_file: Path) -> None:
    assert "name the function that returns the model" in failure(str(user_file))
    assert f'{user_file} has no function "other"' == failure(f"{user_file}:other")
    assert "returned int; return a torch module" in failure(f"{user_file}:nothing")
    assert f"{user_file}:broken failed: ZeroDivisionError: division by zero" == failure(f"{user_file}:broken")
    assert "no file none.py" in failure("none.py:build")
    assert "are for built-in models" in failure(f"{user_file}:build", encoder="vgg16")
    user_file.write_text("def build(:\n")
    assert "SyntaxError" in failure(f"{user_file}:build")
    assert "rgbdsod_user_none" not in sys.modules


def test_a_plug_in_adds_a_row(user_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "MODELS", Table("model", MODELS))
    spec = importlib.util.spec_from_file_location("plugin /with a.path", user_file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    inputs = {"rgb": InputSpec(3), "depth": InputSpec(1)}
    zoo.MODELS.add(ModelRow("mine", "mine", f"{module.__name__}:plain", inputs, (16, 16)))
    model = load_model("mine", device="cpu")
    assert (model.name, model.card.source, model.card.paper) == ("mine", "untrained", None)
    path = tmp_path / "w.pth"
    torch.save({k: torch.zeros_like(v) for k, v in model.network.state_dict().items()}, path)
    assert not any(p.any() for p in load_model("mine", weights=path, device="cpu").parameters())
    torch.save({"a": torch.zeros(1)}, path)
    assert "does not fit mine: 2 of 2 keys are missing" in failure("mine", weights=path)

"""How fragile is an RGB-D saliency model? Attacks, fusion stages, alignment losses and defences on one core.

Names are loaded on first use, so that `import rgbdsod` costs nothing and imports nothing outside the standard library.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# In a source checkout four rooms lie beside this folder; installed, they lie inside it.
_root = Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "attacks").is_dir():
    __path__.append(str(_root))

_EXPORTS = {
    "ablate": "run.ablation.ablate",
    "attack": "run.attack",
    "evaluate": "run.evaluate",
    "evaluate_maps": "run.evaluate",
    "info": "run.catalogue",
    "interpolate": "run.interpolate",
    "list_attacks": "run.catalogue",
    "list_datasets": "run.catalogue",
    "list_models": "run.catalogue",
    "load_dataset": "datasets",
    "load_model": "models",
    "report": "report",
    "train": "run.train",
    "wrap": "models",
}
_ROOMS = ("attacks", "clip", "datasets", "defenses", "errors", "fusion", "metrics", "models", "run")
__all__ = ["__version__", *_EXPORTS]  # noqa: PLE0604  (the keys are strings)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS]

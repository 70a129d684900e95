"""Tensors of others: safetensors files, which hold numbers and text, and nothing that could run."""

from pathlib import Path

from torch import Tensor

from rgbdsod.foreign.files import check_regular, reason


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file by name, and the text in its header.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is damaged, or has numbers that torch does not know.
    """
    from safetensors import safe_open

    check_regular(Path(path))
    if not Path(path).stat().st_size:
        raise ValueError("it is empty")  # which cannot be mapped
    try:
        with safe_open(str(path), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118  # none
    except OSError:
        raise
    except Exception as error:  # the library's own, or torch's for a type or shape that it does not know
        raise ValueError(reason(error)) from error

"""A network with its alignment heads, as an earlier training left them."""

from pathlib import Path

from rgbdsod.errors import UsageError
from rgbdsod.models import build_model
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.checkpoint import read_checkpoint

HEADS = {"itm": "matching head", "manipulation": "detector", "masked": "masked modelling"}


def open_alignment(folder: str | Path, needed: str, *, device: str = "auto", flag: str = "folder") -> Alignment:
    """The last state of a training, in evaluation mode.

    Args:
        folder: of the training.
        needed: the loss whose head is wanted, of `HEADS`.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        flag: what messages call `folder`.

    Raises:
        UsageError: there is no such training, or it did without this loss.
    """
    file = Path(folder) / "checkpoints" / "last.pt"
    if not file.is_file():
        raise UsageError(f"{flag} {folder}: no training is there; pass the folder of one that had --{needed}")
    progress, state = read_checkpoint(file)
    settings = progress.settings.get("alignment") or {}
    if not settings.get(needed):
        raise UsageError(f"{flag} {folder}: that training had no {HEADS[needed]}; train with --{needed} 0.1 first")
    given = {name: progress.settings.get(name) for name in ("fusion", "encoder")}
    model = build_model(progress.settings["model"], **given, seed=0, device=device)
    if progress.settings.get("size") is not None:
        model = model.at(tuple(progress.settings["size"]))
    model.network.load_state_dict(state["model"])
    alignment = Alignment(model.eval(), AlignmentSettings(**settings), seed=0, total=1)
    alignment.parts.load_state_dict(state["alignment"])
    alignment.parts.eval()
    return alignment

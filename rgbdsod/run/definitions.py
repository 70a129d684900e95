"""Which measures a run reports, what they mean, and under which names. No torch here."""

from rgbdsod.errors import UsageError
from rgbdsod.metrics.table import METRICS

REPORTED = (
    "mae", "sm", "wfm", "em_adp", "em_mean", "em_max", "fm_adp", "fm_mean", "fm_max", "iou_bin", "ber_bin",
)  # fmt: skip
"""In the order of tables."""

SHOWN = ("mae", "fm_max", "wfm", "em_max", "sm", "iou_bin")
"""In the table on the screen."""

CURVES = ("precision", "recall", "fm", "em")

PROTOCOLS = {
    "benchmark": "each map is stretched to [0, 1] by its own minimum and maximum, as published tables do",
    "raw": "maps as the model gives them; a stretch can hide or invent an attack's damage",
}

_TITLES = {"iou_bin": "IoU", "ber_bin": "BER"}
_KEYS = {"iou_bin": "iou", "ber_bin": "ber"}


def key(name: str) -> str:
    """The name of a measure in the document of `--json`."""
    return _KEYS.get(name, name)


def find_measure(text: str) -> str:
    """The reported measure that a user means: its name ("fm_max", "iou_bin"), short name ("iou") or heading ("maxF").

    Raises:
        UsageError: there is none.
    """
    for name in REPORTED:
        if text.lower() in (name, key(name), title(name).lower()):
            return name
    raise UsageError(f'no metric "{text}"; there are {", ".join(map(key, REPORTED))}')


def title(name: str) -> str:
    """Heading of a measure in a table."""
    return _TITLES.get(name, METRICS[name].title)


def better(name: str) -> str:
    """Whether "up" or "down" is better for the model."""
    return "up" if METRICS[name].higher_is_better else "down"


def definitions() -> dict[str, dict[str, str]]:
    """What the reported measures mean, as a document."""
    return {
        name: {"title": title(name), "better": better(name), "text": row.definition, "source": row.source}
        for name in REPORTED
        for row in [METRICS[name]]
    }

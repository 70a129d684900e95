"""The texts that stand for the classes of a set."""

from collections.abc import Sequence
from typing import Literal, get_args

from rgbdsod.clip import ClipModel, OpenClipModel
from rgbdsod.datasets.zero_shot.known import Prompts
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.datasets.zero_shot.prompts import written
from rgbdsod.errors import UsageError

Templates = Literal["fixed", "as-released", "ensemble"]
"""One prompt for each class, its slips put right or kept; or the mean of many."""

_OPENINGS = ("this is a photo of", "a photo of", "this is", "")
"""Of the captions that the built-in encoder knows; a prompt is written with each."""


def checked_templates(name: str) -> Templates:
    """The variant of a name.

    Raises:
        UsageError: there is no such variant.
    """
    for known in get_args(Templates):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f'no templates "{name}"; use {", ".join(get_args(Templates))}')


def prompts_variant(templates: Templates) -> Prompts:
    """Which variant of its class names a set is opened with."""
    return "as-released" if templates == "as-released" else "fixed"


def texts_of(data: ImageSet, model: ClipModel, templates: Templates) -> list[list[str]]:
    """The texts of each class: one, or with "ensemble" as many as there are templates.

    Args:
        data: names the classes.
        model: an ensemble is the 80 templates of ImageNet for a model of open_clip, which brings them along, and four
            openings of the set's own prompt for the built-in encoder.
        templates: see `Templates`.
    """
    if templates != "ensemble":
        return [[text] for text in data.prompts]
    rows = [written(template, data.class_names, refine=data.refine) for template in _ensemble(data, model)]
    return [list(texts) for texts in zip(*rows, strict=True)]


def _ensemble(data: ImageSet, model: ClipModel) -> Sequence[str]:
    if isinstance(model, OpenClipModel):
        from open_clip import OPENAI_IMAGENET_TEMPLATES

        return [template("{}") for template in OPENAI_IMAGENET_TEMPLATES]
    template = data.template
    opening = next((own for own in _OPENINGS if own and template.lower().startswith(own)), "")
    rest = template[len(opening) :].strip()
    return [f"{own} {rest}".strip() for own in _OPENINGS]

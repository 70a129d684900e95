"""The tuning classes and the zero-shot tasks of the generated glyphs, as labelled images."""

import numpy as np

from rgbdsod.datasets.glyph_words import TASKS, GlyphTask
from rgbdsod.datasets.glyphs import VERSION, glyph
from rgbdsod.datasets.zero_shot.labelled import ArraySet
from rgbdsod.errors import UsageError

GLYPH_TEST_SEED = 2**20
"""Glyphs of this seed and above are for tests; nothing in this repository is trained on them."""


def glyph_task(name: str) -> GlyphTask:
    """A task by name.

    Raises:
        UsageError: there is none of this name.
    """
    for task in TASKS:
        if task.name == name:
            return task
    raise UsageError(f'no glyph task "{name}"; they are {", ".join(task.name for task in TASKS)}')


def glyph_set(name: str, count: int = 512, *, seed: int = GLYPH_TEST_SEED) -> ArraySet:
    """Images of one task, as many of each class as of the others (or one more).

    Args:
        name: "tuning", the only one that tuning may use; or a zero-shot task: "pairs", "new-shapes", "shapes",
            "textures" or "backgrounds".
        count: how many images, 1 or more.
        seed: of the images; another seed gives other images. The default one is for tests.

    Raises:
        UsageError: unknown task, or count below 1.

    Example:
        >>> from rgbdsod.datasets import glyph_set
        >>> glyph_set("pairs", 12).prompts[0]
        'this is a photo of a red circle'
    """
    task = glyph_task(name)
    if count < 1:
        raise UsageError(f"{count} glyphs are no data set; ask for 1 or more")
    members = task.looks()
    labels = [index % len(members) for index in range(count)]
    series = f"glyph-{name}"
    drawn = [glyph(index, seed=seed, series=series, looks=members[label]) for index, label in enumerate(labels)]
    return ArraySet(
        f"glyphs:{name}",
        np.stack([item.image for item in drawn]),
        labels,
        task.classes,
        split=f"version {VERSION}, seed {seed}",
        ids=[item.id for item in drawn],
        template=task.template,
        refine=False,
    )

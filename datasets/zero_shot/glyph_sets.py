"""The tuning classes and the zero-shot tasks of the generated glyphs, as labelled images."""

import numpy as np

from rgbdsod.datasets.demo import TEST_SEED
from rgbdsod.datasets.glyph_words import TASKS, GlyphTask
from rgbdsod.datasets.glyphs import glyph
from rgbdsod.datasets.zero_shot.labelled import ArraySet
from rgbdsod.errors import UsageError


def glyph_task(name: str) -> GlyphTask:
    """A task by name.

    Raises:
        UsageError: there is none of this name.
    """
    for task in TASKS:
        if task.name == name:
            return task
    raise UsageError(f'no glyph task "{name}"; they are {", ".join(task.name for task in TASKS)}')


def glyph_set(name: str, count: int = 512, *, seed: int = TEST_SEED) -> ArraySet:
    """Images of one task, as many of each class as of the others (or one more).

    Args:
        name: "tuning", the only one that tuning may use; or a zero-shot task: "pairs", "new-shapes", "shapes",
            "textures" or "backgrounds".
        count: how many images, 1 or more.
        seed: of the images; another seed gives other images. From `TEST_SEED` on they are for tests, and nothing
            in this repository is trained on them.

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
        split="test" if seed >= TEST_SEED else "train",
        ids=[item.id for item in drawn],
        template=task.template,
        refine=False,
    )

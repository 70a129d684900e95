"""Generated glyphs: the same for the same seed, captions that are true, tasks that do not leak."""

import numpy as np
import pytest

from rgbdsod.datasets import glyph, glyph_set, glyphs
from rgbdsod.datasets.glyph_shapes import OUTLINES
from rgbdsod.datasets.glyph_words import BACKGROUNDS, COLOURS, LOOKS, SHAPES, TASKS, TEMPLATES, TEXTURES, WORDS, Look
from rgbdsod.errors import UsageError


def test_a_glyph_depends_on_seed_and_index_alone():
    one, again = glyphs(8, seed=3), glyph(5, seed=3)
    assert np.array_equal(one.images[5], again.image) and one.captions[5] == again.caption
    assert one.fingerprint == glyphs(8, seed=3).fingerprint != glyphs(8, seed=4).fingerprint
    assert not np.array_equal(glyph(5, seed=3, series="other").image, again.image)
    assert one.images.shape == (8, 32, 32, 3) and one.images.dtype == np.uint8


def test_captions_are_true_and_of_known_words():
    series = glyphs(300, seed=1)
    for look, caption in zip(series.looks, series.captions, strict=True):
        words = caption.split()
        assert set(words) <= set(WORDS) and len(words) <= 14
        named = {*words} & {*SHAPES, *COLOURS, *TEXTURES, *BACKGROUNDS}
        assert named <= set(vars(look).values()) and named
    assert len({len(look.caption(place)) for look in LOOKS[:9] for place in range(len(TEMPLATES))}) > 6
    assert len(LOOKS) == 10 * 8 * 4 * 6


def test_every_attribute_is_drawn():
    looks = glyphs(600).looks
    for field, names in (("shape", SHAPES), ("colour", COLOURS), ("texture", TEXTURES), ("background", BACKGROUNDS)):
        counts = [sum(getattr(look, field) == name for look in looks) for name in names]
        assert min(counts) > 0.5 * 600 / len(names)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_glyph_stands_out_of_its_background(shape):
    drawn = glyph(0, looks=[Look(shape, "yellow", "plain", "navy")]).image.astype(float)
    yellowness = drawn[..., 0] - drawn[..., 2]
    inside = (yellowness > 60).mean()
    assert 0.08 < inside < 0.65
    assert (yellowness[[0, -1]] < 60).all(), "nothing is cut off above and below"
    x, y = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81))
    reach = np.hypot(x, y)[OUTLINES[shape](x, y) < 0].max()
    assert 0.75 < reach < 1.2


def test_tasks_are_those_of_the_plan():
    assert [len(task.classes) for task in TASKS] == [36, 6, 24, 10, 4, 6]
    assert [task.tuned for task in TASKS] == [True, False, False, False, False, False]
    tuning, pairs, new = (set(task.classes) for task in TASKS[:3])
    assert not tuning & pairs and not (tuning | pairs) & new
    assert len(tuning | pairs) == 7 * 6
    plain = Look("circle", "red", "plain", "grey")
    assert TASKS[1].label(plain) == TASKS[1].classes.index("red circle") and TASKS[0].label(plain) is None
    assert TASKS[1].label(Look("circle", "red", "striped", "grey")) is None
    assert [task.label(Look("star", "pink", "plain", "olive")) for task in TASKS[2:]] == [15, 8, 0, 5]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_task_sets_hold_what_their_labels_say(task):
    data = glyph_set(task.name, 75)
    assert data.prompts[0] == task.template.format(task.classes[0])
    assert np.bincount(data.labels, minlength=len(task.classes)).tolist() == [
        75 // len(task.classes) + (label < 75 % len(task.classes)) for label in range(len(task.classes))
    ]
    assert data.common_size == (32, 32) and len(set(data.ids)) == 75
    assert (data.split, glyph_set(task.name, 1, seed=0).split) == ("test", "train")
    assert np.array_equal(glyph_set(task.name, 30).images, data.images[:30]), "a longer set begins with the shorter"
    assert not np.array_equal(glyph_set(task.name, 75, seed=1).images, data.images)


def test_tuning_images_are_plain_and_of_no_held_out_pair():
    members = TASKS[0].looks()
    assert all(look.texture == "plain" for looks in members for look in looks)
    assert {len(looks) for looks in members} == {6}


def test_what_is_refused():
    for call, message in (
        (lambda: glyph(-1), "must be 0 or more"),
        (lambda: glyphs(0), "glyphs:0 holds no image"),
        (lambda: glyph_set("pairs", 0), "0 glyphs are no data set"),
        (lambda: glyph_set("colours"), 'no glyph task "colours"'),
    ):
        with pytest.raises(UsageError, match=message):
            call()

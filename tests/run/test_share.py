"""Several processes divide a run; the result is that of one."""

from itertools import permutations

import pytest
from run_models import scenes, tiny

import rgbdsod as rs
from rgbdsod.errors import UsageError
from rgbdsod.run import Share

OPTIONS = {"eps": {"depth": [8 / 255, 16 / 255]}, "steps": 2}


def attack(out, share=None, **options):
    return rs.attack(tiny(), scenes(7), out=out, share=share, **{"batch": 2, **OPTIONS, **options})


def test_shares_have_each_item_once():
    items = list("abcdefgh")
    shares = [Share(index, 3) for index in range(3)]
    assert [share.of(items) for share in shares] == [list("adg"), list("beh"), list("cf")]
    assert [share.of(items, offset=2) for share in shares] == [list("cf"), list("adg"), list("beh")]
    assert Share(3, 4).of(items[:2]) == []


def test_a_share_as_a_command_line_names_it():
    assert Share.parse("2/3") == Share(1, 3)
    assert str(Share(1, 3)) == "2/3"
    for text in ("3", "a/b", "-1/3", "1/3/5", ""):
        with pytest.raises(UsageError, match="expected I/N, for example 1/3"):
            Share.parse(text)
    for text in ("0/3", "4/3", "1/0"):
        with pytest.raises(UsageError, match="expected I/N with I from 1 to N"):
            Share.parse(text)

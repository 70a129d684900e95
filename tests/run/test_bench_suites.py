"""Which cells a suite has: names, axes, weights by pattern, and what is wrong with a file."""

import pytest

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.run.benchmark.cell import Assault, Cell
from rgbdsod.run.benchmark.contender import Contender
from rgbdsod.run.benchmark.suites import SUITES, cells_of

CLIP = Contender("zero-shot", "clip.demo")
EVERY = {"contender": CLIP, "data": "glyphs:pairs", "assault": Assault("fgsm"), "modality": "image", "eps": 8 / 255}
BLOCK = """
[[block]]
world = "zero-shot"
model = "clip.demo"
data = ["glyphs:pairs", "glyphs:textures"]
attack = ["fgsm", "pgd-1"]
modality = "image"
eps = ["2/255", 0.0]
images = 3
"""
GRID = """
[[block]]
model = "bbsnet"
weights = "{training}-{fusion}-{seed}.pt"
fusion = ["early", "rgb"]
training = ["plain", "itc:0.5"]
data = ["demo", "scenes:2"]
attack = [{ name = "pgd", steps = [1, 2], step_size = "2/255" }, "fgsm"]
modality = ["rgb", "both"]
eps = ["4/255", "8/255"]
seeds = [0, 3]
"""


def cells(tmp_path, text, **options):
    (tmp_path / "s.toml").write_text(text)
    return cells_of(str(tmp_path / "s.toml"), **options)


def test_the_same_attacks_at_the_same_budgets_meet_both_worlds():
    found = SUITES["cross"].cells()
    worlds = {
        world: {(cell.assault, cell.eps) for cell in found if cell.contender.world == world}
        for world in ("saliency", "zero-shot")
    }
    assert worlds["saliency"] == worlds["zero-shot"]
    assert {attack.label for attack, _ in worlds["saliency"]} == {"noise", "fgsm", "pgd-20", "apgd-20"}
    assert {(cell.contender.model, cell.modality) for cell in found} >= {("bbsnet", "rgb"), ("d3net", "both")}


def test_every_suite_has_cells_of_different_names():
    for suite in SUITES.values():
        keys = [cell.key for cell in suite.cells()]
        assert len(set(keys)) == len(keys) > 0


def test_the_number_behind_an_attack_is_its_steps():
    assert Assault.of("apgd-20") == Assault("apgd", (("steps", 20),)) == Assault.of("apgd", {"steps": 20})
    assert Assault.of("fgsm").parameters == ()
    assert Assault.of("pgd-20", {"restarts": 2, "step_size": 2 / 255}).label == "pgd-20 restarts=2 step_size=0.007843"


def test_axes_multiply_and_places_that_a_network_lacks_are_left_out(tmp_path):
    found = cells(tmp_path, GRID)
    early = [cell for cell in found if cell.contender.fusion == "early"]
    single = [cell for cell in found if cell.contender.fusion == "rgb"]
    # trainings x seeds x data x attacks x radii, on both modalities and on one
    assert (len(early), len(single)) == (2 * 2 * 2 * 3 * 2 * 2, 2 * 2 * 2 * 3 * 2)
    assert {cell.assault.label for cell in found} == {"pgd-1 step_size=0.007843", "pgd-2 step_size=0.007843", "fgsm"}
    assert {cell.seed for cell in found} == {0, 3}
    assert {cell.contender.label for cell in early} == {"bbsnet, early, plain", "bbsnet, early, itc:0.5"}


def test_labelled_sets_of_a_block_are_measured_together(tmp_path):
    found = cells(tmp_path, BLOCK)
    assert {cell.data for cell in found} == {"glyphs:pairs,glyphs:textures"}
    assert len(found) == 4 and {cell.images for cell in found} == {3}
    assert {cell.images for cell in cells(tmp_path, BLOCK, images=5)} == {5}
    assert {cell.seed for cell in cells(tmp_path, BLOCK, seed=7)} == {7}


def test_weights_are_found_by_pattern(tmp_path):
    own = Contender("saliency", "bbsnet", str(tmp_path / "{fusion}-{training}-{seed}-*" / "w.pt"), "early", "itc:0.5")
    with pytest.raises(WeightsError, match="train them first, or correct weights"):
        own.file(1)
    (tmp_path / "early-itc_0.5-1-ab12").mkdir()
    (tmp_path / "early-itc_0.5-1-ab12" / "w.pt").write_bytes(b"1")
    assert own.file(1) == tmp_path / "early-itc_0.5-1-ab12" / "w.pt"
    (tmp_path / "early-itc_0.5-1-cd34").mkdir()
    (tmp_path / "early-itc_0.5-1-cd34" / "w.pt").write_bytes(b"2")
    with pytest.raises(WeightsError, match=r"are 2 files \(.*ab12.*cd34.*\); name one"):
        own.file(1)


def test_a_cell_is_known_by_what_its_weights_hold(tmp_path):
    def key(name, content):
        (tmp_path / name).write_bytes(content)
        own = Contender("saliency", "bbsnet", str(tmp_path / name), "early")
        return Cell(own, "demo", Assault("fgsm"), "rgb", 8 / 255).key

    first = key("a.pt", b"one")
    assert key("b.pt", b"one") == first  # moved, and still the same
    assert key("a.pt", b"two, trained anew") != first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": 8.0}, "did you mean 8/255?"),
        ({"images": 0}, "--images 0: pass 1 or more"),
        ({"seed": -1}, "seed -1: 0 or more"),
        ({"modality": "rgb"}, 'modality "rgb" in the world "zero-shot"; expected image'),
    ],
)
def test_a_cell_that_cannot_be(change, message):
    with pytest.raises(UsageError) as error:
        Cell(**{**EVERY, **change})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (("depth", "bbsnet"), 'no world "depth"'),
        (("saliency", "bbsnt"), 'no model "bbsnt"; did you mean "bbsnet"?'),
        (("saliency", "bbsnet", None, "erly"), 'bbsnet has fusion early, feature, multistage, rgb, depth; got "erly"'),
        (("saliency", "bbsnet", None, "early"), "bbsnet with fusion early has no built-in weights; name a file"),
        (("saliency", "bbsnet", "{fuson}.pt", "early"), 'no {fuson}; did you mean "{fusion}"?'),
        (("saliency", "bbsnet", "{seed:03d}.pt"), "no {seed}; "),
        (("saliency", "bbsnet", "{fusion}.pt"), "names {fusion}, but there is no fusion"),
        (("saliency", "bbsnet", "a.pt", None, "itc"), 'training "itc" needs weights that name it'),
        (("zero-shot", "clip.demo", None, "early"), "fusion and size are of saliency networks"),
    ],
)
def test_a_network_that_cannot_be(own, message):
    with pytest.raises(UsageError) as error:
        Contender(*own)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eps = 1", 'expected tables [[block]] and nothing else; got "eps"'),
        ("block = 3", "expected tables [[block]] and nothing else"),
        ("[[block]]\nworlds = 1", 'block 1: no field "worlds"; did you mean "world"?'),
        ('[[block]]\nworld = "saliency"', "block 1 has no model; a block needs model, data, attack, modality, eps"),
        (BLOCK.replace("images = 3", 'images = "3"'), 'block 1: images is "3", expected a whole number'),
        (BLOCK.replace("images = 3", "images = 0"), "images is 0, expected 1 or more"),
        (BLOCK.replace('"2/255"', '"two"'), "expected a number, or a fraction such as 8/255"),
        (BLOCK.replace('"2/255"', "true"), 'eps is True, expected a number, or a fraction such as "8/255"'),
        (BLOCK.replace('"2/255"', "nan"), "block 1: "),
        (BLOCK.replace('"pgd-1"', '"pdg-1"'), 'block 1: attack: no attack "pdg"; did you mean "pgd"?'),
        (BLOCK.replace('"pgd-1"', '"cw"'), "attack: attack \"cw\" looks for no worst point within an Linf radius"),
        (BLOCK.replace('"pgd-1"', "{ steps = 3 }"), 'expected a name, or a table such as { name = "pgd", steps = 20 }'),
        (BLOCK.replace('"pgd-1"', '{ name = "pgd", steps = { a = 1 } }'), "steps is {'a': 1}, expected a number"),
        (BLOCK.replace('model = "clip.demo"', "model = []"), "block 1: model is empty; give one value, or a list"),
        (BLOCK.replace('model = "clip.demo"', "model = 3"), "block 1: model is 3, expected a name in quotes"),
        (BLOCK + 'seeds = "1"', 'block 1: seeds is "1", expected whole numbers'),
        (GRID.replace('modality = ["rgb", "both"]', 'modality = "hha"'), 'modality "hha" fits no network here'),
        (GRID + 'size = "big"', 'block 1: size is "big", expected HxW'),
        ("[[block", "is not a TOML file"),
        ("a = " + "[" * 5000, "is not a TOML file: it is nested too deeply"),
        (BLOCK.replace('"2/255"', "1" + "0" * 400), "eps is 1000"),
        (BLOCK + "seeds = 99999999999999999999", "seeds is 99999999999999999999, expected whole numbers"),
        (BLOCK.replace('"clip.demo"', '"a\\u001b[2J"'), "expected a name in quotes"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_suite(tmp_path, text, message):
    with pytest.raises(UsageError) as error:
        cells(tmp_path, text)
    assert f"--suite {tmp_path / 's.toml'}" in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value).strip()


def test_a_grid_without_end_is_refused_before_it_is_built(tmp_path):
    many = ", ".join(str(number) for number in range(3000))
    with pytest.raises(UsageError, match=r"cells; the most is 100,000"):
        cells(tmp_path, GRID.replace("seeds = [0, 3]", f"seeds = [{many}]"))


def test_two_networks_of_one_name_are_refused(tmp_path):
    text = GRID.replace("{training}-{fusion}", "a/{training}-{fusion}")
    with pytest.raises(UsageError, match='are called "bbsnet, early, plain"'):
        cells(tmp_path, GRID + text)


def test_an_unknown_suite():
    with pytest.raises(UsageError, match='no suite "cros"; use quick, standard, cross'):
        cells_of("cros")

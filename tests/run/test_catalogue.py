"""Lists, descriptions, plug-ins and the doctor."""

import sys

import pytest

import rgbdsod as rs
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.errors import UsageError
from rgbdsod.run.catalogue import TABLES, listing
from rgbdsod.run.doctor import examine, examine_data
from rgbdsod.run.plugins import load_plugins


def test_names_of_each_kind():
    assert {"bbsnet", "jldcf", "d3net", "bbsnet.paper", "jldcf.paper", "d3net.paper"} <= set(rs.list_models())
    assert set(rs.list_models("jldcf*")) < set(rs.list_models())
    assert {"fgsm", "rfgsm", "ifgsm", "bim", "pgd", "mifgsm", "noise"} <= set(rs.list_attacks())
    assert {"demo", "scenes", "NLPR"} <= set(rs.list_datasets())


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_can_be_described(kind):
    for row in listing(kind):
        found = rs.info(row.name)
        assert found.name == row.name and found.summary
        assert all(value not in ("", None) for value in found.facts.values())


def test_an_attack_shows_its_own_parameters():
    assert rs.info("pgd").parameters["steps"] == ATTACKS["pgd"].parameters()["steps"]
    assert rs.info("fgsm").parameters == {}
    with pytest.raises(UsageError, match='nothing is called "pdg"; did you mean "pgd"'):
        rs.info("pdg")


def test_detectors_and_defences_against_patches_are_described():
    assert "vanish-empty" in rs.info("ssd300_vgg16").facts["attacked by"]
    assert rs.info("fcos.tiny").facts["weights"].startswith("built in")
    lgs = rs.info("lgs")
    assert lgs.kind == "patch-defense"
    assert (lgs.parameters["smoothing"], lgs.facts["arXiv"]) == (2.3, "https://arxiv.org/abs/1807.01216")


def test_a_plug_in_file_adds_an_attack(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from rgbdsod.attacks.table import ATTACKS, AttackRow\n"
        "from rgbdsod.attacks import fgsm\n"
        "def attack(problem, inputs, threat, **common):\n    return fgsm(problem, inputs, threat, **common)\n"
        "ATTACKS.add(AttackRow('mine', f'{__name__}:attack', 's', 'p', '', '1'))\n"
    )
    load_plugins([str(path)])
    load_plugins([str(path)])
    assert "mine" in rs.list_attacks()
    del ATTACKS._rows["mine"]


def test_plug_ins_that_fail_say_so(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_plugins([str(tmp_path / "none.py")])
    with pytest.raises(UsageError, match="--plugin no_such_module_here failed: ModuleNotFoundError"):
        load_plugins(["no_such_module_here"])
    (tmp_path / "bad.py").write_text("1/0")
    with pytest.raises(UsageError, match="failed: ZeroDivisionError"):
        load_plugins([str(tmp_path / "bad.py")])
    assert not [name for name in sys.modules if "bad.py" in name]


def test_doctor_finds_a_working_installation():
    checks = {check.name: check for check in examine()}
    for name in ("python", "torch", "device", "memory", "runs folder", "demo data", "self-test"):
        assert checks[name].status == "ok", checks[name]


def test_doctor_on_data(tmp_path, shared):
    fine = list(examine_data(str(shared / "data" / "pothole_rgbd")))
    assert all(check.status != "failed" for check in fine)
    (bad,) = examine_data(str(tmp_path / "nowhere"))
    assert bad.status == "failed"

"""Losses, maps, gradients and inner attacks against the published formulas' values; see golden/README-clip.md."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rgbdsod.attacks import Budget, ClassProblem, ScoreProblem, perturb
from rgbdsod.attacks.scores import Scores, dlr, margin
from rgbdsod.defenses import (
    TuningBatch,
    class_logits,
    class_losses,
    clip_losses,
    hardening_method,
    image_distance,
    kl_divergence,
    map_distance,
    squared_distance,
    text_attention,
)
from rgbdsod.defenses.zero_shot.attention import complement, minmax
from rgbdsod.defenses.zero_shot.companion import Companion
from rgbdsod.defenses.zero_shot.discriminator import discriminator_loss, generator_loss
from rgbdsod.defenses.zero_shot.parts import Parts
from rgbdsod.defenses.zero_shot.resizing import resized, resizing_gram
from rgbdsod.defenses.zero_shot.text_attack import moved_texts

GRID, SCALE, B = (7, 7), 100.0, 6
CLEAN, ADV = 0.25, 0.75
"""Grey levels that stand for the clean and the attacked images."""


class G:
    """The file's arrays in float64 by name, and what most checks start from."""

    def __init__(self, path):
        with np.load(path) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        self.arrays = {name: x.double() if x.is_floating_point() else x for name, x in arrays.items()}
        self.labels, self.texts = self["in.labels"], F.normalize(self["in.text"], dim=1)
        self.negated = F.normalize(self["in.text_neg"], dim=1)

    def __getitem__(self, name):
        return self.arrays[name]

    def close(self, found, name):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, self[f"out.{name}"], rtol=1e-6, atol=1e-12)

    def tokens(self, which):
        """Class token (B,D) and patches (B,P,D)."""
        return self[f"in.tokens_{which}"][:, 0], self[f"in.tokens_{which}"][:, 1:]

    def maps(self, which, texts=None, **settings):
        own = (self.texts if texts is None else texts)[self.labels]
        return text_attention(*self.tokens(which), own, **settings)

    def logits(self, which, scale=SCALE):
        return class_logits(self.tokens(which)[0], self.texts, scale)


class Recorded:
    """An encoder whose outputs are the file's tokens; the images' grey level says which."""

    name, grid, width, scale, has_tokens = "recorded", GRID, 32, SCALE, True

    def __init__(self, clean, adv):
        self.clean, self.adv = clean, adv

    def embed(self, image):
        return self.embed_tokens(image)[0]

    def embed_tokens(self, image):
        halves = [self.clean if part.mean() < 0.5 else self.adv for part in image.split(B)]
        tokens = torch.cat(halves)
        return tokens[:, 0], tokens[:, 1:]


@pytest.fixture(scope="module")
def golden(shared):
    return G(shared / "golden" / "clip_losses.npz")


@pytest.fixture
def scene(golden):
    """The file's models and batch, the tokens of the model in training with gradients."""
    leaves = {name: golden[f"in.tokens_target_{name}"].clone().requires_grad_() for name in ("clean", "adv")}
    encoder = Recorded(leaves["clean"], leaves["adv"])
    original = Recorded(golden["in.tokens_orig_clean"], golden["in.tokens_orig_adv"])
    parts = Parts(encoder, original, golden.texts, golden.negated)
    image = torch.full((B, 3, 2, 2), CLEAN, dtype=torch.float64)
    return parts, TuningBatch(image, "abcdef", golden.labels), torch.full_like(image, ADV), leaves


def run(scene, name, **settings):
    parts, batch, moved, _ = scene
    return hardening_method(name, **settings).loss(parts, batch, moved)


def test_class_logits_and_cross_entropy(golden, scene):
    golden.close(golden.logits("target_adv"), "logits.target_adv")
    losses = class_losses(golden.tokens("target_adv")[0], golden.texts, golden.labels, SCALE)
    golden.close(losses.mean(), "L_CE")
    golden.close(losses.mean(), "L_CE.robustvlm")
    golden.close(run(scene, "tecoa")["total"], "L_CE")


def test_contrast_within_the_batch(golden, scene):
    golden.close(run(scene, "ft-adv")["total"], "L_FT.batch_contrastive")
    golden.close(run(scene, "tecoa", clip_loss="itc")["total"], "L_FT.batch_contrastive")


def test_other_classification_losses_are_those_of_the_attack_core(golden):
    logits, labels, targets = golden["out.logits.target_adv"], golden.labels, golden["in.dlr_targets"]
    golden.close(margin(Scores(logits, labels)), "L_margin.per_sample")
    golden.close(-(50 - margin(Scores(logits, labels))).relu().sum(), "L_CW.sum_kappa50")
    golden.close(dlr(Scores(logits, labels)), "L_DLR.per_sample")
    golden.close(dlr(Scores(logits, targets, targeted=True, truth=labels)), "L_DLR.targeted.per_sample")


@pytest.mark.parametrize("which", ["target_adv", "target_clean", "orig_clean"])
def test_text_guided_maps(golden, which):
    golden.close(minmax(golden.maps(which)).unflatten(1, GRID), f"attn_grid.{which}")


def test_maps_at_the_size_of_an_image(golden):
    found = resized(minmax(golden.maps("target_adv")), GRID, 224)[:2]
    torch.testing.assert_close(found.float(), golden["out.attn_map.target_adv"].float(), rtol=1e-5, atol=1e-6)
    golden.close(resizing_gram(7, 224), "upsample_gram_1d")


@pytest.mark.parametrize("distance", ["l2", "l1", "cos"])
def test_attention_losses(golden, distance):
    adv, clean, kept = (minmax(golden.maps(which)) for which in ("target_adv", "target_clean", "orig_clean"))
    for name, maps in (("AR", adv), ("AMC", clean)):
        found = map_distance(maps, kept, GRID, distance=distance)
        golden.close(found.mean(), f"L_{name}.{distance}")
        if distance == "l2":
            golden.close(found, f"L_{name}.l2.per_sample")
            rms = map_distance(maps, kept, GRID, distance="rms")
            torch.testing.assert_close(17.92 * rms, 0.08 * found)
    golden.close(map_distance(adv, kept, GRID, side=7).mean(), "alt.L_AR.grid7")


@pytest.mark.parametrize(
    ("token_norm", "order", "name"),
    [
        ("tokens", "resize-minmax", "resize_then_minmax.token"),
        ("channels", "resize-minmax", "resize_then_minmax.feature"),
        ("channels", "minmax-resize", "minmax_then_resize.feature"),
        ("none", "minmax-resize", "minmax_then_resize.none"),
    ],
)
def test_other_maps(golden, scene, token_norm, order, name):
    losses = run(scene, "tga-zsr", token_norm=token_norm, order=order)
    golden.close(losses["refinement"], f"alt.L_AR.{name}")
    golden.close(losses["constraint"], f"alt.L_AMC.{name}")


def test_tga_zsr_and_its_gradients(golden, scene):
    losses = run(scene, "tga-zsr")
    golden.close(losses["refinement"], "L_AR.l2")
    golden.close(losses["constraint"], "L_AMC.l2")
    golden.close(losses["total"], "L_TGA.total")
    losses["total"].backward()
    for name, leaf in scene[3].items():
        golden.close(leaf.grad, f"grad.L_TGA.total.tokens_target_{name}")


def test_comp_tga(golden, scene):
    golden.close(run(scene, "comp-tga")["refinement"], "L_AR.comp")

    def product(which):
        return complement(*(resized(minmax(golden.maps(which, t)), GRID, 224) for t in (golden.texts, golden.negated)))

    golden.close(image_distance(product("target_adv"), product("orig_clean")).mean(), "L_AR.comp")


@pytest.mark.parametrize(("name", "scale"), [("code_tau1", 1.0), ("paper_scale100", None)])
def test_pmg_aft(golden, scene, name, scale):
    released = run(scene, "pmg-aft", scale=scale, reduction="sum")
    golden.close(released["robust"], f"L_PMG.{name}.robust")
    golden.close(released["general"], f"L_PMG.{name}.general_sum")
    golden.close(released["clean"], f"L_PMG.{name}.clean_sum")
    golden.close(released["total"], f"L_PMG.{name}.total_sum")
    golden.close(run(scene, "pmg-aft", scale=scale)["total"], f"L_PMG.{name}.total_batchmean")
    first = run(scene, "pmg-aft", scale=scale, reduction="sum", reverse=True)
    golden.close(first["general"], f"L_PMG.{name}.general_sum_reversed")
    golden.close(first["clean"], f"L_PMG.{name}.clean_sum_reversed")


def test_fare(golden, scene):
    golden.close(run(scene, "fare")["total"], "L_FARE")
    golden.close(run(scene, "fare", normalize=True)["total"], "L_FARE.normalised")
    golden.close(squared_distance(golden.tokens("target_adv")[0], golden.tokens("orig_clean")[0]), "L_FARE.per_sample")


def test_tecoa_lambda(golden, scene):
    losses = run(scene, "tecoa-lambda", clip_loss="itc")
    golden.close(losses["total"], "L_TeCoA_lambda")
    golden.close(losses["clean"], "L_TeCoA_lambda.clean")
    golden.close(losses["adversarial"], "L_TeCoA_lambda.adv")
    golden.close(losses["features"], "L_feat")


def test_fare_bimodal_terms(golden):
    own, adv = golden.tokens("target_clean")[0], golden.tokens("target_adv")[0]
    raw = golden["in.text"][golden.labels]

    def itc(features, u):
        return clip_losses(features, u, golden.labels, SCALE, kind="itc")

    moved = moved_texts(lambda u: itc(own, u), raw, 0.02)
    golden.close(moved, "bimodal.text_adv")
    terms = {"clean": (own, raw), "img_adv": (adv, raw), "txt_adv": (own, moved)}
    losses = {name: itc(*pair).mean() for name, pair in terms.items()}
    for name, loss in losses.items():
        golden.close(loss, f"bimodal.L_{name}")
    golden.close(losses["clean"] + 0.7 * losses["img_adv"] + 0.3 * losses["txt_adv"], "bimodal.L_total")
    golden.close(kl_divergence(golden.logits("target_clean"), golden.logits("target_adv")).mean(), "bimodal.L_kl")
    verdicts = [F.normalize(v, dim=1) @ golden["in.disc_weight"] + golden["in.disc_bias"] for v in (own, adv)]
    golden.close(discriminator_loss(*verdicts), "bimodal.L_disc")
    golden.close(generator_loss(verdicts[1]), "bimodal.L_gen")


def test_fare_bimodal_as_a_whole(golden, scene):
    """The same terms through the method, whose attack on texts starts from unit vectors."""
    parts, batch, moved, _ = scene
    method = hardening_method("fare-bimodal", clip_loss="itc", balancer="fixed", alpha=0.7)
    companion = Companion("fixed", alpha=0.7, width=32).double()
    losses = method.loss(Parts(parts.encoder, None, parts.texts, companion=companion), batch, moved)
    golden.close(losses["clean"].detach(), "bimodal.L_clean")
    golden.close(losses["image"].detach(), "bimodal.L_img_adv")
    golden.close(losses["kl"].detach(), "bimodal.L_kl")
    rest = losses["clean"] + 0.7 * losses["image"] + 0.3 * losses["text"] + losses["kl"] + 0.1 * losses["generator"]
    torch.testing.assert_close(losses["total"], rest)
    assert losses["text"] > losses["clean"]


@pytest.fixture(scope="module")
def linear(golden):
    mean, std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    return lambda image: ((image - mean) / std).flatten(1) @ golden["in.pgd_weight"].T


def at(delta, *, clipped):
    """A start at the file's own noise."""
    return lambda ball, streams: ball.project(ball.clean + delta) if clipped else ball.clean + delta


def test_the_core_is_the_released_pgd(golden, linear):
    images = {"image": golden["in.pgd_images"]}
    problem = ClassProblem(lambda x: class_logits(linear(x["image"]), golden.texts, SCALE), golden.labels)
    start = at(golden["in.pgd_delta0"], clipped=True)
    for steps in (1, 2):
        result = perturb(
            problem, images, {"image": Budget(eps=1 / 255)}, steps=steps, step_size=1 / 255, start=start, keep="last"
        )
        found = result.inputs["image"] - images["image"]
        torch.testing.assert_close(found, golden["out.pgd.delta_steps"][steps - 1], rtol=1e-6, atol=1e-12)
    golden.close(result.loss.mean(), "pgd.loss_final")


def test_the_core_is_the_released_attack_of_fare(golden, linear):
    """Its momentum of signs has no effect: the sign of 0.9 v + s is s wherever the gradient is not 0."""
    images = {"image": golden["in.pgd_images"]}
    kept = linear(images["image"])
    problem = ScoreProblem(lambda x: squared_distance(linear(x["image"]), kept), inputs=("image",))
    start = at(golden["in.fare_delta0"], clipped=False)
    result = perturb(
        problem, images, {"image": Budget(eps=4 / 255)}, steps=10, step_size=1 / 255, start=start, keep="last"
    )
    golden.close(result.inputs["image"], "fare_pgd.adv")
    golden.close(result.loss.mean(), "fare_pgd.loss_final")

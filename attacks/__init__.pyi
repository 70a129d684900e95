from .baseline import noise as noise
from .blackbox.boundary import boundary as boundary
from .blackbox.hopskipjump import hopskipjump as hopskipjump
from .blackbox.nes import nes as nes
from .blackbox.sparse_rs import sparse_rs as sparse_rs
from .blackbox.spsa import spsa as spsa
from .blackbox.square import square as square
from .blackbox.zoo import zoo as zoo
from .bpda import Bpda as Bpda
from .budget import Budget as Budget
from .budget import Threat as Threat
from .budget import check_eps as check_eps
from .checks.check import Check as Check
from .checks.health import health as health
from .classes import ClassProblem as ClassProblem
from .core import perturb as perturb
from .generative.latent import LatentGenerator as LatentGenerator
from .generative.natural import natural as natural
from .generative.perturbation import PerturbationGenerator as PerturbationGenerator
from .generative.trained import advgan as advgan
from .generative.trained import gap as gap
from .generative.training import train_generator as train_generator
from .generative.wgan import train_latent as train_latent
from .gradient.apgd import apgd as apgd
from .gradient.cospgd import cospgd as cospgd
from .gradient.fgsm import fgsm as fgsm
from .gradient.fgsm import rfgsm as rfgsm
from .gradient.ifgsm import ifgsm as ifgsm
from .gradient.mifgsm import mifgsm as mifgsm
from .gradient.pgd import pgd as pgd
from .gradient.pgd_adam import pgd_adam as pgd_adam
from .gradient.segpgd import segpgd as segpgd
from .maps import MapProblem as MapProblem
from .measure import audit as audit
from .measure import measured as measured
from .minimum.alma import alma as alma
from .minimum.bisection import bisection as bisection
from .minimum.cw import cw as cw
from .minimum.cw_linf import cw_linf as cw_linf
from .minimum.ddn import ddn as ddn
from .minimum.deepfool import deepfool as deepfool
from .minimum.ead import ead as ead
from .minimum.fab import fab as fab
from .minimum.fmn import fmn as fmn
from .minimum.hinge import hinge as hinge
from .minimum.lbfgs import lbfgs as lbfgs
from .patch.attack import adversarial_patch as adversarial_patch
from .patch.controls import control_patches as control_patches
from .patch.hanging import hang_patch as hang_patch
from .patch.natural.curve import NaturalPoint as NaturalPoint
from .patch.natural.curve import natural_curve as natural_curve
from .patch.natural.generated import PatchGenerator as PatchGenerator
from .patch.patch import Patch as Patch
from .patch.patch import apply_patch as apply_patch
from .patch.result import PatchResult as PatchResult
from .patch.universal import fit_patch as fit_patch
from .prepared import prepare as prepare
from .problem import Problem as Problem
from .problem import frozen as frozen
from .result import Result as Result
from .rows import AttackRow as AttackRow
from .saliency.multilayer import multilayer as multilayer
from .saliency.rosa import rosa as rosa
from .scored import ScoreProblem as ScoreProblem
from .search import Search as Search
from .sensor.extremes import extremes as extremes
from .sensor.holes import holes as holes
from .sensor.misregistration import misregistration as misregistration
from .sparse.dense import dense_jsma as dense_jsma
from .sparse.jsma import jsma as jsma
from .suites.apgdt import apgdt as apgdt
from .suites.autoattack import autoattack as autoattack
from .suites.member import Member as Member
from .suites.worst import SuiteResult as SuiteResult
from .suites.worst import worst_case as worst_case
from .table import ATTACKS as ATTACKS
from .transfer.diversity import difgsm as difgsm
from .transfer.ensemble import EnsembleProblem as EnsembleProblem
from .transfer.nifgsm import nifgsm as nifgsm
from .transfer.scaling import sifgsm as sifgsm
from .transfer.smoothing import tifgsm as tifgsm
from .transfer.variance import vmifgsm as vmifgsm
from .transfer.variance import vnifgsm as vnifgsm
from .universal.perturbation import Universal as Universal
from .universal.sgd_uap import sgd_uap as sgd_uap
from .universal.uap import uap as uap

__all__ = [
    "ATTACKS",
    "AttackRow",
    "Bpda",
    "Budget",
    "Check",
    "ClassProblem",
    "EnsembleProblem",
    "LatentGenerator",
    "MapProblem",
    "Member",
    "NaturalPoint",
    "Patch",
    "PatchGenerator",
    "PatchResult",
    "PerturbationGenerator",
    "Problem",
    "Result",
    "ScoreProblem",
    "Search",
    "SuiteResult",
    "Threat",
    "Universal",
    "adversarial_patch",
    "advgan",
    "alma",
    "apgd",
    "apgdt",
    "apply_patch",
    "audit",
    "autoattack",
    "bisection",
    "boundary",
    "check_eps",
    "control_patches",
    "cospgd",
    "cw",
    "cw_linf",
    "ddn",
    "deepfool",
    "dense_jsma",
    "difgsm",
    "ead",
    "extremes",
    "fab",
    "fgsm",
    "fit_patch",
    "fmn",
    "frozen",
    "gap",
    "hang_patch",
    "health",
    "hinge",
    "holes",
    "hopskipjump",
    "ifgsm",
    "jsma",
    "lbfgs",
    "measured",
    "mifgsm",
    "misregistration",
    "multilayer",
    "natural",
    "natural_curve",
    "nes",
    "nifgsm",
    "noise",
    "perturb",
    "pgd",
    "pgd_adam",
    "prepare",
    "rfgsm",
    "rosa",
    "segpgd",
    "sgd_uap",
    "sifgsm",
    "sparse_rs",
    "spsa",
    "square",
    "tifgsm",
    "train_generator",
    "train_latent",
    "uap",
    "vmifgsm",
    "vnifgsm",
    "worst_case",
    "zoo",
]

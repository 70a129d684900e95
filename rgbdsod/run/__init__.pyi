from .ablation.grid import Grid as Grid
from .ablation.grid import Schooling as Schooling
from .ablation.result import AblationResult as AblationResult
from .alignment_settings import AlignmentSettings as AlignmentSettings
from .attack_settings import AttackPlan as AttackPlan
from .attack_settings import AttackSettings as AttackSettings
from .benchmark.bench import bench as bench
from .benchmark.result import BenchResult as BenchResult
from .board.leaderboard import leaderboard as leaderboard
from .board.result import LeaderboardResult as LeaderboardResult
from .clip.evaluate import evaluate_zero_shot as evaluate_zero_shot
from .clip.opening import DualEncoder as DualEncoder
from .clip.opening import open_dual_encoder as open_dual_encoder
from .clip.result import ZeroShotResult as ZeroShotResult
from .clip.train import HardenResult as HardenResult
from .clip.train import harden as harden
from .consistency_settings import ConsistencySettings as ConsistencySettings
from .defense.choice import DefenseChoice as DefenseChoice
from .defense.defend import defend as defend
from .defense.result import DefenseResult as DefenseResult
from .detector import DetectorRow as DetectorRow
from .detector import evaluate_detector as evaluate_detector
from .execute import Target as Target
from .interventions.ablate import ablate_stages as ablate_stages
from .interventions.places import stages_of as stages_of
from .interventions.result import StagesResult as StagesResult
from .merging import merge_shares as merge_shares
from .mismatch import Mismatched as Mismatched
from .pair_filter import PairFilter as PairFilter
from .pair_filter import score_pairs as score_pairs
from .patch.apply import apply_patch_file as apply_patch_file
from .patch.apply_boxed import apply_patch_to_detector as apply_patch_to_detector
from .patch.export import export_patches as export_patches
from .patch.make import make_patches as make_patches
from .patch.result import PatchRun as PatchRun
from .patch.settings import PatchSettings as PatchSettings
from .patch.sheet import print_sheet as print_sheet
from .patch_boxed.universal import fit_patch_for_detector as fit_patch_for_detector
from .patch_certify.certify import certify_detections as certify_detections
from .patch_certify.certify import certify_maps as certify_maps
from .patch_certify.result import CertifyResult as CertifyResult
from .patch_defense.defend import defend_patches as defend_patches
from .patch_defense.defend_result import DefendResult as DefendResult
from .patch_defense.detect_result import DetectResult as DetectResult
from .patch_defense.evaluate import evaluate_patches as evaluate_patches
from .patch_defense.localise import localise_patches as localise_patches
from .patch_defense.localise_result import LocaliseResult as LocaliseResult
from .patch_maps.maps import patch_maps as patch_maps
from .patch_maps.result import MapsResult as MapsResult
from .patch_stats.result import StatsResult as StatsResult
from .patch_stats.stats import patch_statistics as patch_statistics
from .results import AttackResult as AttackResult
from .results import EvalResult as EvalResult
from .share import Share as Share

__all__ = [
    "AblationResult",
    "AlignmentSettings",
    "AttackPlan",
    "AttackResult",
    "AttackSettings",
    "BenchResult",
    "CertifyResult",
    "ConsistencySettings",
    "DefendResult",
    "DefenseChoice",
    "DefenseResult",
    "DetectResult",
    "DetectorRow",
    "DualEncoder",
    "EvalResult",
    "Grid",
    "HardenResult",
    "LeaderboardResult",
    "LocaliseResult",
    "MapsResult",
    "Mismatched",
    "PairFilter",
    "PatchRun",
    "PatchSettings",
    "Schooling",
    "Share",
    "StagesResult",
    "StatsResult",
    "Target",
    "ZeroShotResult",
    "ablate_stages",
    "apply_patch_file",
    "apply_patch_to_detector",
    "bench",
    "certify_detections",
    "certify_maps",
    "defend",
    "defend_patches",
    "evaluate_detector",
    "evaluate_patches",
    "evaluate_zero_shot",
    "export_patches",
    "fit_patch_for_detector",
    "harden",
    "leaderboard",
    "localise_patches",
    "make_patches",
    "merge_shares",
    "open_dual_encoder",
    "patch_maps",
    "patch_statistics",
    "print_sheet",
    "score_pairs",
    "stages_of",
]

"""Rows of the patch attacks. Imports no torch."""

from rgbdsod.attacks.rows import AttackRow

ROWS = [
    AttackRow(
        "patch",
        "rgbdsod.attacks.patch.attack:adversarial_patch",
        "a patch on colour, depth or both, one for each image; the rest of the image keeps its bits",
        "Brown et al., Adversarial patch, 2017",
        "1712.09665",
        "R(T+1) + 1 forwards, R T backwards; with random transforms D times as many, and D T/20 forwards more",
        norms=("linf",),
        eps=1.0,
        ranges={
            "patch_size": "a share of the image, 5% or 0.05",
            "shape": "square, disc, rounded, or sides such as 3:2",
            "where": "random, fixed, on-object, off-object, boundary, worst, box",
            "at": "fixed: the centre as shares of width and height, 0.5,0.25",
            "depth_mode": "surface, card, plane, relief, free; none with --modality rgb",
            "depth_kind": "unknown, inverse, metric:NEAR-FAR in metres",
            "patch_goal": "own (--objective, --goal), hide, ghost, swap, degrade, self; all away from the patch",
            "transforms": "none, digital, print, hard, thys, tsea, art",
            "draws": "1 or more",
            "start": "uniform, grey, image: a crop of a photograph; in Python also patches",
            "search": "gradient; spsa: by scores alone, on a 16 x 16 grid",
            "queries": "for one gradient of spsa: 2, 4, ...",
            "canvas": "side in pixels, 0: as large as it is seen",
            "smooth": "0 or more; none: what goes with the transforms",
            "printable": "0 or more; none: what goes with the transforms",
            "natural": "none, crop, mix, lowpass, vae, file, drawn; in Python also a PatchGenerator",
            "natural_radius": "above 0, in the unit of natural; none: 16/255, 4, 1/8, and 1 for generators",
            "crops": "demo, or a folder of photographs; those that are attacked are left out",
            "generator": "file, drawn: a .safetensors file; see docs/patch-naturalistic.md",
            "naturalness": "0 or more: weight of the distance from photographs",
            "gate": "none; for D3Net also close, open: whether its depurator drops depth",
        },
    ),
]

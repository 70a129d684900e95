"""Rows of the sensor-like changes of depth. Imports no torch."""

from rgbdsod.attacks.rows import NORMS, AttackRow

_HERE = "rgbdsod.attacks.sensor"
_SPARSE = ("l0", "linf")
_COMMON = {"draws": "1 or more", "sensor": "the input that the sensor gives"}

ROWS: list[AttackRow] = [
    AttackRow(
        "holes",
        f"{_HERE}.holes:holes",
        "depth set to 0 in patches, specks or along edges, the worst of several draws; an L0 budget counts the pixels",
        "Mallick et al., Characterizations of noise in Kinect depth images, 2014",
        "",
        "one forward per draw",
        knowledge="score",
        norms=_SPARSE,
        ranges={**_COMMON, "pattern": "any, patches, specks, edges", "share": "above 0, up to 1"},
    ),
    AttackRow(
        "misregistration",
        f"{_HERE}.misregistration:misregistration",
        "depth shifted, turned and scaled against rgb, the worst of several draws; --eps 1 leaves the values free",
        "our own",
        "",
        "one forward per draw",
        knowledge="score",
        norms=NORMS,
        ranges={
            **_COMMON,
            "shift": "0 or more, in pixels",
            "rotation": "0 or more, in degrees",
            "scale": "0 up to 1",
            "border": "hole, replicate",
        },
    ),
    AttackRow(
        "extremes",
        f"{_HERE}.extremes:extremes",
        "a few pixels of depth set to 0 or 1, which compresses all else where each map is stretched",
        "our own",
        "",
        "one forward per draw",
        knowledge="score",
        norms=_SPARSE,
        ranges={**_COMMON, "pixels": "1 or more"},
    ),
]

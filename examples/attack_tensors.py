"""The attack core alone: tensors in, tensors out, and what each attack gains for the passes it spends.

Depth may change only where it was measured and outside the object, so the object's own depth stays as it is.
"""

from typing import Annotated

import typer

from rgbdsod import load_dataset, load_model
from rgbdsod.attacks import Budget, MapProblem, audit, fgsm, mifgsm, noise, pgd
from rgbdsod.datasets import collate


def main(
    images: Annotated[int, typer.Option(help="generated scenes to attack")] = 4,
    steps: Annotated[int, typer.Option(help="of the attacks that have several")] = 10,
    eps: Annotated[float, typer.Option(help="radius in grey levels")] = 8,
) -> None:
    """Attack depth around the object, and print loss, verdict and passes of each attack."""
    model = load_model("bbsnet", device="cpu")
    batch = collate(list(load_dataset(f"scenes:{images}@128x128#7")))
    inputs = {"rgb": batch["rgb"], "depth": batch["depth"]}

    around = (batch["mask"] < 0.5) & batch["valid"]
    threat = {"depth": Budget(eps=eps / 255, mask=around)}
    problem = MapProblem(model, batch["mask"], success="iou<0.5")

    for attack, own in ((noise, {"draws": steps}), (fgsm, {}), (mifgsm, {"steps": steps}), (pgd, {"steps": steps})):
        result = attack(problem, inputs, threat, **own)
        radius = audit(result.inputs, inputs, threat)["depth"].max() * 255  # refuses what breaks its budget
        print(
            f"{attack.__name__:7s} loss {result.loss.mean():.3f}  fooled {int(result.fooled.sum())} of {images}  "
            f"{int(result.forward[0])} forward, {int(result.backward[0])} backward  largest change {radius:.1f}/255"
        )


if __name__ == "__main__":
    typer.run(main)

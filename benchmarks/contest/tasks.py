"""What is attacked: a classifier on real images, or a built-in saliency network on generated scenes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contest.cases import Case
from contest.networks import CLASSIFIERS, classifier
from rgbdsod.attacks import ClassProblem, MapProblem, Problem, frozen
from rgbdsod.datasets import collate, load_dataset
from rgbdsod.models import MODELS, SaliencyModel, load_model

CLASSES = 10


class Counted(nn.Module):
    """A network that counts the samples that went through it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.samples = 0

    def forward(self, x: Tensor) -> Tensor:
        """The network's answer."""
        self.samples += len(x)
        return self.network(x)


class TwoClasses(nn.Module):
    """A saliency network as peers could take it: one input of four channels, and classes (0, logit) for each pixel."""

    def __init__(self, model: SaliencyModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B,2,H,W) of images (B,4,H,W)."""
        parts = {"rgb": x[:, :3], "depth": x[:, 3:]}
        logits = self.model.fuse({name: self.model.encode(name, part) for name, part in parts.items()}, x.shape[-2:])
        return torch.cat([torch.zeros_like(logits), logits], dim=1)


class Task(Protocol):
    """A network, images that it gets right, and their labels."""

    name: str
    network: Counted
    """Takes `images`, returns class scores along dimension 1."""
    images: Tensor
    labels: Tensor
    targets: Tensor
    classes: int

    def problem(self, targeted: bool = False) -> Problem:
        """What our attacks get."""
        ...

    def inputs(self, images: Tensor) -> dict[str, Tensor]:
        """Images as our attacks get them."""
        ...

    def points(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The way back from `inputs`."""
        ...


class ClassTask:
    """Images and their classes; with random weights, what the network makes of them."""

    classes = CLASSES

    def __init__(self, name: str, batch: int, size: int, data: Path, random: bool) -> None:
        network = classifier(name, Path() if random else data)
        self.name, self.network = name, Counted(network).eval()
        images, labels = random_images(batch, size) if random else cifar(data)
        with torch.no_grad():
            found = network(images).argmax(1)
        right = torch.arange(batch) if labels is None else (found == labels).nonzero()[:batch, 0]
        self.images, self.labels = images[right], found[right]
        self.targets = (self.labels + 1) % CLASSES

    def problem(self, targeted: bool = False) -> Problem:
        """Leave the class, or reach the next."""
        labels = self.targets if targeted else self.labels
        return ClassProblem(
            lambda inputs: self.network(inputs["image"]), labels, targeted=targeted, modules=(self.network,)
        )

    def inputs(self, images: Tensor) -> dict[str, Tensor]:
        """The image."""
        return {"image": images}

    def points(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The image."""
        return inputs["image"]


class MapTask:
    """Generated scenes that a saliency network gets right; attacked are both inputs."""

    classes = 2

    def __init__(self, name: str, batch: int, size: int) -> None:
        self.name, self._model = name, load_model(name)
        self.network = Counted(TwoClasses(self._model)).eval()
        scenes = collate(list(load_dataset(f"scenes:{3 * batch}@{size}x{size}")))
        images = torch.cat([scenes["rgb"], scenes["depth"]], dim=1)
        with torch.no_grad():
            problem = MapProblem(self._model, scenes["mask"])
            right = (~problem.fooled(problem.forward(self.inputs(images)))).nonzero()[:batch, 0]
        self.images, self._masks = images[right], scenes["mask"][right]
        self.labels = (self._masks[:, 0] > 0.5).long()
        self.targets = 1 - self.labels

    def problem(self, targeted: bool = False) -> Problem:
        """Leave the true map, or show an empty one."""
        if targeted:
            return MapProblem(self._model, self._masks, goal="hide")
        return MapProblem(self._model, self._masks)

    def inputs(self, images: Tensor) -> dict[str, Tensor]:
        """RGB and depth."""
        return {"rgb": images[:, :3], "depth": images[:, 3:]}

    def points(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """RGB and depth as four channels."""
        return torch.cat([inputs["rgb"], inputs["depth"]], dim=1)


def open_task(name: str, batch: int, size: int, data: Path, random: bool = False) -> Task:
    """A network by its name.

    Args:
        name: resnet18, resnet20, resnet32, resnet56, or a built-in saliency network.
        batch: images that it gets right.
        size: side of the images where they are not CIFAR-10's.
        data: folder with `weights/cifar10_resnet` and `cifar10_subset`; without them weights and images are random.
        random: random weights and images in any case.
    """
    if name not in CLASSIFIERS:
        return MapTask(MODELS[name].name, batch, size)
    trained = name != "resnet18" and (data / "cifar10_subset" / "cifar10_subset.npz").exists()
    return ClassTask(name, batch, size, data, random or not trained)


def cifar(data: Path) -> tuple[Tensor, Tensor]:
    """Test images (N,3,32,32) in [0, 1] and their classes, mixed."""
    with np.load(data / "cifar10_subset" / "cifar10_subset.npz") as file:
        images, labels = torch.from_numpy(file["x_test"]), torch.from_numpy(file["y_test"])
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:400]
    return images[order].permute(0, 3, 1, 2).contiguous().float() / 255, labels[order]


def random_images(batch: int, size: int) -> tuple[Tensor, None]:
    """Noise (batch,3,size,size) in [0, 1], without classes."""
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0)), None


def bare(task: Task, case: Case, steps: int) -> None:
    """Nothing but the passes that a case's steps are made of, through the frozen network to its input."""
    with frozen(task.network):
        for _ in range(steps):
            if case.floor == "forward":
                with torch.no_grad():
                    task.network(task.images)
                continue
            leaf = task.images.detach().requires_grad_()
            loss = cross_entropy(task.network(leaf), task.labels, reduction="sum")
            if case.floor == "jacobian":
                torch.autograd.grad(loss, leaf, retain_graph=True)
            torch.autograd.grad(loss, leaf)

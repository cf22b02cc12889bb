"""Training in plain PyTorch: the study's net on pairs and on triplets, and ResNet50 in bfloat16.

Its arguments: the number of images, their side, the batch size and the steps of one answer; then batch, side and
steps of ResNet50. Names on its standard input: `pairs` and `triplets` train the study's net, fed by a DataLoader of
two workers over uint8 images in memory; `resnet50/bfloat16` and `resnet50/float32` train on one batch that is there
already.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

CLASSES = 8


class Draws(Dataset):
    """Pairs or triplets of uint8 images [3, s, s], drawn like the project draws them, mirrored by a fair coin."""

    def __init__(self, n: int, side: int, kind: str, length: int) -> None:
        self.images = torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8)
        self.of_class = [torch.arange(label, n, CLASSES) for label in range(CLASSES)]
        self.kind, self.length = kind, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        one, two = torch.randperm(CLASSES)[:2].tolist()
        if self.kind == "triplets":
            return self._image(one), self._image(one), self._image(two)
        same = index % 2
        return self._image(one), self._image(one if same else two), torch.tensor(float(same))

    def _image(self, label: int) -> torch.Tensor:
        rows = self.of_class[label]
        image = self.images[rows[torch.randint(len(rows), ())]]
        return image.flip(-1) if torch.rand(()) < 0.5 else image


class ConvNet(nn.Sequential):
    """The study's net with its embedding layer: uint8 [b, 3, s, s] -> [b, 10]."""

    def __init__(self, side: int) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * (side // 8) ** 2, 256), nn.ReLU(), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.float() / 127.5 - 1)


class Bottleneck(nn.Module):
    """A block of ResNet50 with its stride on the first convolution, as Keras has it."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 1, stride), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if stride != 1 or before != 4 * width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    blocks: list[nn.Module] = []
    before = 64
    for stage, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(depth):
            blocks.append(Bottleneck(before, width, 2 if block == 0 and stage else 1))
            before = 4 * width
    stem = [nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    net = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, CLASSES))
    for module in net.modules():  # the statistics of pre-trained weights stay, and so do its scales
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    return net


def metric_steps(kind: str, n: int, side: int, batch: int, steps: int) -> Iterator[float]:
    """Train without end; yield the seconds of every `steps` steps."""
    draws = Draws(n, side, kind, length=batch * 100_000)
    loader = iter(DataLoader(draws, batch, num_workers=2, drop_last=True))
    net = ConvNet(side)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            first, second, third = next(loader)
            anchor, other = net(first), net(second)
            distance = functional.pairwise_distance(anchor, other)
            if kind == "pairs":
                loss = (third * distance**2 + (1 - third) * functional.relu(1 - distance) ** 2).mean()
            else:
                loss = functional.relu(distance - functional.pairwise_distance(anchor, net(third)) + 1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.perf_counter() - started


def resnet_steps(precision: str, batch: int, side: int, steps: int) -> Iterator[float]:
    """Fine-tune ResNet50 without end; yield the seconds of every `steps` steps."""
    net = resnet50()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.002, momentum=0.9)
    half = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()
    images = torch.from_numpy(np.random.default_rng(0).uniform(-128, 128, (batch, 3, side, side)).astype(np.float32))
    labels = torch.arange(batch) % CLASSES
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            with half:
                loss = functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.perf_counter() - started


def main() -> None:
    n, side, batch, steps, resnet_batch, resnet_side, resnet_count = map(int, sys.argv[1:])
    running: dict[str, Iterator[float]] = {}
    print("{}", flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in running:
            if name.startswith("resnet50/"):
                running[name] = resnet_steps(name.partition("/")[2], resnet_batch, resnet_side, resnet_count)
            else:
                running[name] = metric_steps(name, n, side, batch, steps)
        print(json.dumps({"seconds": next(running[name])}), flush=True)


if __name__ == "__main__":
    main()

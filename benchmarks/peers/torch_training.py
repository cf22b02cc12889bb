"""Training in plain PyTorch: the study's net on pairs and triplets, and ResNet50.

Arguments: number of images, image size, batch size and steps per request; then batch size, image size and steps of
ResNet50. Requests: `pairs` and `triplets` train the study's net, which reads from a DataLoader with two workers over
uint8 images in memory; `resnet50/bfloat16` and `resnet50/float32` repeat one batch.
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

N_CLASSES = 8


class RandomSamples(Dataset):
    """Random pairs or triplets of uint8 images [3, s, s], sampled as in tfretrieval, with random horizontal flips."""

    def __init__(self, n: int, size: int, items: str, length: int) -> None:
        self.images = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8)
        self.rows_of_class = [torch.arange(label, n, N_CLASSES) for label in range(N_CLASSES)]
        self.items, self.length = items, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        label, other_label = torch.randperm(N_CLASSES)[:2].tolist()
        if self.items == "triplets":
            return self._image(label), self._image(label), self._image(other_label)
        same = index % 2
        return self._image(label), self._image(label if same else other_label), torch.tensor(float(same))

    def _image(self, label: int) -> torch.Tensor:
        rows = self.rows_of_class[label]
        image = self.images[rows[torch.randint(len(rows), ())]]
        return image.flip(-1) if torch.rand(()) < 0.5 else image


class ConvNet(nn.Sequential):
    """The study's net with its embedding layer: uint8 [b, 3, s, s] -> [b, 10]."""

    def __init__(self, size: int) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * (size // 8) ** 2, 256), nn.ReLU(), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.float() / 127.5 - 1)


class Bottleneck(nn.Module):
    """A block of ResNet50 with the stride in its first convolution, as in Keras."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, stride), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != 4 * width:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    blocks: list[nn.Module] = []
    channels = 64
    for stage, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(depth):
            blocks.append(Bottleneck(channels, width, 2 if block == 0 and stage else 1))
            channels = 4 * width
    stem = [nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    net = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, N_CLASSES))
    for module in net.modules():  # frozen, as for pretrained weights
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    return net


def train_small_net(items: str, n: int, size: int, batch: int, steps: int) -> Iterator[float]:
    """Train the study's net without end; yield the seconds of every `steps` steps."""
    samples = RandomSamples(n, size, items, length=batch * 100_000)
    loader = iter(DataLoader(samples, batch, num_workers=2, drop_last=True))
    net = ConvNet(size)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            first, second, third = next(loader)
            anchor, other = net(first), net(second)
            distance = functional.pairwise_distance(anchor, other)
            if items == "pairs":
                loss = (third * distance**2 + (1 - third) * functional.relu(1 - distance) ** 2).mean()
            else:
                loss = functional.relu(distance - functional.pairwise_distance(anchor, net(third)) + 1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.perf_counter() - started


def train_resnet50(precision: str, batch: int, size: int, steps: int) -> Iterator[float]:
    """Fine-tune ResNet50 without end; yield the seconds of every `steps` steps."""
    net = resnet50()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.002, momentum=0.9)
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()
    images = torch.from_numpy(np.random.default_rng(0).uniform(-128, 128, (batch, 3, size, size)).astype(np.float32))
    labels = torch.arange(batch) % N_CLASSES
    while True:
        started = time.perf_counter()
        for _ in range(steps):
            with autocast:
                loss = functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield time.perf_counter() - started


def main() -> None:
    n, size, batch, steps, resnet_batch, resnet_size, resnet_steps = map(int, sys.argv[1:])
    running: dict[str, Iterator[float]] = {}
    print("{}", flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in running:
            if name.startswith("resnet50/"):
                running[name] = train_resnet50(name.partition("/")[2], resnet_batch, resnet_size, resnet_steps)
            else:
                running[name] = train_small_net(name, n, size, batch, steps)
        print(json.dumps({"seconds": next(running[name])}), flush=True)


if __name__ == "__main__":
    main()

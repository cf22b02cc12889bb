"""Features of ResNet50 in PyTorch for images in memory: eager, compiled, and compiled in bfloat16."""

import json
import sys
import time

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels),
        )  # fmt: skip
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            layers.append(Bottleneck(channels, width, stride if block == 0 else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def main() -> None:
    n, batch = int(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(0)
    network = resnet50().eval().to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (batch, 3, 224, 224), dtype=torch.uint8).to(memory_format=torch.channels_last)
    compiled = torch.compile(network)

    def run(forward: nn.Module, bfloat16: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            for _ in range(n // batch):
                forward(images.float().sub_(127.5).div_(58))

    sides = {
        "eager": lambda: run(network, False),
        "compile": lambda: run(compiled, False),
        "compile bfloat16": lambda: run(compiled, True),
    }
    print("{}", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        sides[line.strip()]()
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()

"""ResNet50 to pooled features in PyTorch: eager, compiled, and compiled in bfloat16, on images in memory."""

import json
import sys
import time

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        self.short = nn.Identity()
        if stride != 1 or inside != out:
            self.short = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


def resnet50() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    inside = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            layers.append(Bottleneck(inside, width, stride if block == 0 else 1))
            inside = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def main() -> None:
    n, batch = int(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(0)
    network = resnet50().eval().to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (batch, 3, 224, 224), dtype=torch.uint8).to(memory_format=torch.channels_last)
    compiled = torch.compile(network)

    def run(forward: nn.Module, half: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
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

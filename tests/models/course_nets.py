"""COURSE_NETS: nets as courses and tutorials make them, each with the reading that is its own."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


def mlp(act, sizes=(784, 32, 24, 10), norm=None, late=False):
    parts = []
    for inputs, outputs in itertools.pairwise(sizes):
        parts.append(nn.Linear(inputs, outputs))
        if outputs != sizes[-1]:
            both = [norm(outputs), act()] if norm else [act()]
            parts += both[::-1] if late else both
    return nn.Sequential(*parts)


class Skips(nn.Module):
    """Square layers with something added around them."""

    def __init__(self, kind, act=F.relu):
        super().__init__()
        self.inp = nn.Linear(784, 24)
        self.mid1, self.mid2 = nn.Linear(24, 24), nn.Linear(24, 24)
        self.out = nn.Linear(24, 10)
        self.kind, self.act = kind, act

    def forward(self, x):
        x = self.act(self.inp(x))
        if self.kind == "add1":
            x = x + self.act(self.mid1(x))
            x = x + self.act(self.mid2(x))
        elif self.kind == "act1":
            x = self.act(x + self.mid1(x))
            x = self.act(x + self.mid2(x))
        else:
            y = x + self.mid2(self.act(self.mid1(x)))
            x = self.act(y) if self.kind == "act2" else y
        return self.out(x)


class Example(nn.Module):
    """The net of pytorch/examples/mnist: two convolutions, then one pool."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return F.log_softmax(self.fc2(F.relu(self.fc1(torch.flatten(x, 1)))), 1)


class LeNet(nn.Module):
    def __init__(self, act=torch.tanh, pool=F.avg_pool2d):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.act, self.pool = act, pool

    def forward(self, x):
        x = self.pool(self.act(self.c2(self.pool(self.act(self.c1(x)), 2))), 2).flatten(1)
        return self.f3(self.act(self.f2(self.act(self.f1(x)))))


class Residual(nn.Module):
    """A stem and two basic blocks."""

    def __init__(self, norm=False):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) if norm else nn.Identity() for _ in range(5))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.norms[0](self.stem(x)))
        for i in (0, 2):
            y = F.relu(self.norms[i + 1](self.convs[i](x)))
            x = F.relu(x + self.norms[i + 2](self.convs[i + 1](y)))
        return self.fc(x.mean((2, 3)))


def conv(inputs, outputs, act=nn.ReLU, norm=False, late=False, **how):
    parts = [nn.Conv2d(inputs, outputs, 3, **how)]
    both = [nn.BatchNorm2d(outputs), act()] if norm else [act()]
    return parts + (both[::-1] if late else both)


def vgg(norm=False, late=False):
    how = {"padding": 1, "norm": norm, "late": late}
    return nn.Sequential(
        *conv(1, 8, **how), *conv(8, 8, **how), nn.MaxPool2d(2),
        *conv(8, 16, **how), *conv(16, 16, **how), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 49, 10),
    )  # fmt: skip


def strided(act=nn.ReLU):
    return nn.Sequential(
        *conv(1, 8, act, stride=2, padding=1), *conv(8, 16, act, stride=2, padding=1),
        nn.Flatten(), nn.Linear(16 * 49, 10),
    )  # fmt: skip


def keras(act=nn.ReLU):
    """The convolutions of the TensorFlow tutorial: two pools, and a third without."""
    return nn.Sequential(
        *conv(1, 8, act), nn.MaxPool2d(2), *conv(8, 16, act), nn.MaxPool2d(2), *conv(16, 16, act),
        nn.Flatten(), nn.Linear(144, 32), act(), nn.Linear(32, 10),
    )  # fmt: skip


COURSE_NETS = {
    "mlp": (lambda: mlp(nn.ReLU), "relu"),
    "tanh": (lambda: mlp(nn.Tanh), "tanh"),
    "sigmoid": (lambda: mlp(nn.Sigmoid), "sigmoid"),
    "gelu": (lambda: mlp(nn.GELU), "gelu"),
    "leaky": (lambda: mlp(lambda: nn.LeakyReLU(0.2)), "leaky_relu0.2"),
    "elu": (lambda: mlp(nn.ELU), "elu"),
    "silu": (lambda: mlp(nn.SiLU), "silu"),
    "softplus": (lambda: mlp(nn.Softplus), "softplus"),
    "batch norm": (lambda: mlp(nn.ReLU, norm=nn.BatchNorm1d), "relu"),
    "late batch norm": (lambda: mlp(nn.Tanh, norm=nn.BatchNorm1d, late=True), "tanh/norm-late"),
    "layer norm": (lambda: mlp(nn.GELU, norm=nn.LayerNorm), "gelu"),
    **{f"skips {kind}": (lambda kind=kind: Skips(kind), f"relu/{kind}")
       for kind in ("add1", "act1", "act2", "add2")},
    "skips, tanh": (lambda: Skips("add1", torch.tanh), "tanh/add1"),
    "pytorch example": (Example, "relu/p0,p0max2"),
    "lenet": (LeNet, "tanh/p2avg2,p0avg2"),
    "lenet, relu": (lambda: LeNet(F.relu, F.max_pool2d), "relu/p2max2,p0max2"),
    "vgg": (vgg, "relu/p1,p1max2,p1,p1max2"),
    "vgg, norms": (lambda: vgg(True), "relu/p1,p1max2,p1,p1max2"),
    "vgg, late norms": (lambda: vgg(True, True), "relu/p1,p1max2,p1,p1max2/norm-late"),
    "strides": (strided, "relu/p1s2,p1s2"),
    "strides, leaky": (lambda: strided(nn.LeakyReLU), "leaky_relu/p1s2,p1s2"),
    "keras": (keras, "relu/p0max2,p0max2,p0"),
    "keras, elu": (lambda: keras(nn.ELU), "elu/p0max2,p0max2,p0"),
    "residual": (Residual, "relu/p1,p1,p1,p1,p1/mean/act2"),
    "residual, norms": (lambda: Residual(True), "relu/p1,p1,p1,p1,p1/mean/act2"),
    "adaptive": (
        lambda: nn.Sequential(*conv(1, 8, padding=1), nn.AdaptiveAvgPool2d(7), nn.Flatten(),
                              nn.Linear(392, 10)),
        "relu/p1/avg7",
    ),
    "alexnet's first": (
        lambda: nn.Sequential(nn.Conv2d(1, 8, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
                              nn.Flatten(), nn.Linear(32, 10)),
        "relu/p2s4max3s2",
    ),
}  # fmt: skip

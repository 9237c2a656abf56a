"""The estimate against the allocator's own account, and against the resident set of a process."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

import lora_lab
from lora_lab.adapters import VARIANTS
from lora_lab.adapters.inject import inject
from lora_lab.analysis.memory import estimate_memory
from lora_lab.errors import AdapterError, LabError


def adapted(variant="lora", targets=(), rank=8, **settings):
    """What `prepare` is: inject, and name what is trained."""

    def prepare(model):
        inject(model, variant=variant, targets=targets, rank=rank, **settings)
        return [p for p in model.parameters() if p.requires_grad]

    return prepare


def cross_entropy(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"])


def mlp():
    net = nn.Sequential(
        nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 10)
    )
    batch = {"x": torch.zeros(192, 128), "y": torch.zeros(192, dtype=torch.long)}
    return net, batch, cross_entropy


class Branches(nn.Module):
    """Three gradients meet at the wide hidden state, at the peak."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(8, 2048)
        self.narrow = nn.ModuleList(nn.Linear(2048, 4) for _ in range(3))

    def forward(self, x):
        h = self.wide(x).tanh()
        return sum(layer(h) for layer in self.narrow)


def branches():
    batch = {"x": torch.zeros(128, 8), "y": torch.zeros(128, dtype=torch.long)}
    return Branches(), batch, cross_entropy


def conv_net():
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(512, 10),
    )
    batch = {"x": torch.zeros(16, 3, 32, 32), "y": torch.zeros(16, dtype=torch.long)}
    return net, batch, cross_entropy


def llama():
    """Grouped-query attention through torch's fused kernel, and a head tied to the embedding."""
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=300,
        tie_word_embeddings=True,
    )
    ids = torch.zeros(4, 64, dtype=torch.long)

    def loss(model, ids):
        return model(input_ids=ids, labels=ids).loss

    return transformers.LlamaForCausalLM(config), ids, loss


PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CASES = {
    "mlp": (mlp, ()),
    "branches": (branches, ()),
    "conv": (conv_net, ("9",)),
    "llama": (llama, PROJECTIONS),
}


def distinct_bytes(*values):
    """Of the storages of tensors in nests of dicts and lists."""
    storages = {}
    for t in torch.utils._pytree.tree_leaves(values):
        if isinstance(t, torch.Tensor):
            storages[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
    return sum(storages.values())


def real_peak(model, batch, loss, prepare):
    """Bytes: what stands before a third step, and what torch's CPU allocator says it adds."""
    trained = prepare(model)
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model, batch).backward()
        optimizer.step()

    step()
    step()
    optimizer.zero_grad(set_to_none=True)
    states = [list(state.values()) for state in optimizer.state.values()]
    standing = distinct_bytes(list(model.parameters()), list(model.buffers()), batch, states)
    gc.collect()  # what other tests have left is not freed within this step
    gc.disable()
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            step()
    finally:
        gc.enable()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()  # negative where it is freed
        peak = max(peak, now)
    assert peak > 0
    return standing + peak


def peft_prepare(model):
    peft = pytest.importorskip("peft")
    peft.get_peft_model(model, peft.LoraConfig(r=8, target_modules=list(PROJECTIONS)))
    return [p for p in model.parameters() if p.requires_grad]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_what_the_allocator_says(case, variant):
    make, targets = CASES[case]
    model, batch, loss = make()
    prepare = adapted(variant, targets)
    found = estimate_memory(model, batch, loss, prepare=prepare)
    assert found.peak == pytest.approx(real_peak(model, batch, loss, prepare), rel=0.01)


@pytest.mark.parametrize("projection", ["dense", "fastfood"])
def test_a_projection_of_all_weights_is_in_the_estimate(projection):
    model, batch, loss = mlp()
    prepare = adapted("subspace", projection=projection, dimension=40)
    found = estimate_memory(model, batch, loss, prepare=prepare)
    assert found.peak == pytest.approx(real_peak(model, batch, loss, prepare), rel=0.02)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of peft's, about transformers
def test_the_adapters_of_peft_are_estimated_too():
    model, batch, loss = llama()
    found = estimate_memory(model, batch, loss, prepare=peft_prepare)
    ours = estimate_memory(model, batch, loss, prepare=adapted(targets=PROJECTIONS))
    assert (found.weights, found.adapter) == (ours.weights, ours.adapter)
    assert found.peak == pytest.approx(real_peak(model, batch, loss, peft_prepare), rel=0.01)


RESIDENT = """
import torch
from torch import nn
from lora_lab.adapters.inject import inject
from lora_lab.analysis.memory import estimate_memory

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))

def prepare(model):
    inject(model, rank=4)
    return [p for p in model.parameters() if p.requires_grad]

def loss(model, x):
    return model(x).square().mean()

def train(net, x):
    optimizer = torch.optim.AdamW(prepare(net), fused=True)
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        loss(net, x).backward()
        optimizer.step()

def model(width):
    layers = (nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
    return nn.Sequential(*layers, nn.Linear(width, 8))

estimate_memory(model(8), torch.ones(1, 8), loss, prepare=prepare)
train(model(8), torch.ones(1, 8))  # libraries are loaded
before = status("VmRSS")
net, x = model(64), torch.ones(150_000, 64)
net.register_buffer("table", torch.ones(16 << 20))  # 64 MiB
wanted = estimate_memory(net, x, loss, prepare=prepare).peak
quiet = status("VmHWM") - before
train(net, x)
print(wanted, quiet, status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what was resident")
def test_the_estimate_is_what_a_process_takes():
    """Tensors of 37 MiB, which malloc hands back to the system at once."""
    root = str(Path(lora_lab.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[root, *sys.path]!r}\n{RESIDENT}"],
        env={**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    wanted, quiet, taken = map(int, done.stdout.split())
    assert taken > 300 << 20
    assert wanted == pytest.approx(taken, rel=0.15)
    assert quiet < 140 << 20  # the estimate itself took little: weights and batch are 101 MiB


def test_the_parts_are_what_can_be_counted_by_hand():
    model, batch, loss = mlp()
    found = estimate_memory(model, batch, loss, prepare=adapted(rank=8))
    factors = 8 * (128 + 256 + 256 + 256 + 256 + 10)
    assert found.weights == 4 * sum(p.numel() for p in model.parameters())
    assert found.adapter == found.gradients == 4 * factors
    assert found.optimizer == 2 * 4 * factors + 6 * 4  # with a count of steps for each factor
    parts = found.weights + found.adapter + found.gradients + found.optimizer
    assert found.peak == parts + found.activations
    least = 192 * (128 + 256 + 256)  # the batch and the inputs of two activation functions
    assert found.activations >= 4 * least
    plain = estimate_memory(
        model, batch, loss, prepare=lambda m: list(m.parameters()), states_per_parameter=0
    )
    assert plain.adapter == 0
    assert plain.gradients == plain.weights == found.weights


def test_weights_need_not_be_there():
    """Five billion weights on `meta`, and a batch of 1 GiB."""
    with torch.device("meta"):
        large = nn.Sequential(*(nn.Linear(16384, 16384, bias=False) for _ in range(19)))
        x = torch.empty(16384, 16384)
    found = estimate_memory(large, x, lambda m, x: m(x).sum(), prepare=adapted())
    assert found.weights == 19 << 30
    assert found.activations > 2 << 30
    here, batch, loss = mlp()
    there = mlp()[0].to("meta")
    assert estimate_memory(here, batch, loss, prepare=adapted()) == estimate_memory(
        there, batch, loss, prepare=adapted()
    )


class Awkward(nn.Module):
    """What `copy.deepcopy` refuses or a list of parameters misses."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(32, 32, bias=False)
        self.second = nn.Linear(32, 32, bias=False)
        self.second.weight = self.first.weight  # tied
        self.lock = threading.Lock()
        self.derived = self.first.weight * 2  # no leaf: deepcopy raises
        self.table = [{"constants": torch.ones(1000)}]
        self.view = self.table[0]["constants"][:10]
        self.last = (nn.Linear(32, 4),)  # no parameter of this module
        self.steps = [self.hidden, lambda h: h + 1]

    def __deepcopy__(self, memo):
        raise RuntimeError("not to be copied")

    def hidden(self, x):
        return self.second(self.first(x)) @ self.derived

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        with self.lock:
            self.seen = x.detach()
        return self.last[0](x) * self.view.sum()


def test_an_awkward_model_is_counted_and_left_alone():
    model = Awkward().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    attributes, random = dict(vars(model)), torch.get_rng_state()
    found = estimate_memory(
        model,
        torch.zeros(8, 32),
        lambda m, x: m(x).sum(),
        prepare=adapted(targets=("first",)),
    )
    assert found.weights == 4 * (32 * 32 + 32 * 32 + 1000 + 32 * 4 + 4)
    assert vars(model) == attributes
    assert model.lock is attributes["lock"]
    assert not model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(type(t) in (torch.Tensor, nn.Parameter) for t in torch.nn.Module.buffers(model))
    assert torch.equal(torch.get_rng_state(), random)
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def by_value(model, x):
    h = model(x)
    return h.sum() if h.max().item() > 0 else h.mean()


def by_branch(model, x):
    h = model(x)
    return h.sum() if (h > 0).all() else h.mean()


def by_mask(model, x):
    h = model(x)
    return h[h > 0].sum()


def through_numpy(model, x):
    return model(x).sum() + float(model(x).detach().numpy().sum())


def wrong_shape(model, x):
    return model(x.t()).sum()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (by_value, "looks at the values .* Measure"),
        (by_branch, "looks at the values .* Measure"),
        (by_mask, "looks at the values .* Measure"),
        (through_numpy, "failed on .* measure one"),
        (wrong_shape, r"failed on .*\(RuntimeError"),
        (lambda model, x: model(x).detach().sum().requires_grad_(), "does not depend"),
    ],
)
def test_a_step_that_needs_data_says_so(loss, says):
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    with pytest.raises(LabError, match=says):
        estimate_memory(model, torch.zeros(3, 6), loss, prepare=adapted(rank=2))


def test_another_model_than_the_given_one_is_refused():
    """A real parameter would be given a gradient without data."""
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    with pytest.raises(LabError, match="Use its argument"):
        estimate_memory(
            model,
            torch.zeros(3, 6),
            lambda _, x: model(x).sum(),
            prepare=adapted(rank=2),
        )
    assert all(p.grad is None for p in model.parameters())


def test_what_cannot_be_adapted_says_so_itself():
    model = nn.Sequential(nn.Linear(6, 5))
    with pytest.raises(AdapterError, match="nowhere"):
        estimate_memory(
            model,
            torch.zeros(3, 6),
            lambda m, x: m(x).sum(),
            prepare=adapted(targets=("nowhere",)),
        )


def test_holes_are_expected_between_small_blocks_only():
    found = [
        estimate_memory(
            nn.Sequential(nn.Linear(4096, 4096, device="meta"), nn.ReLU()),
            torch.zeros(rows, 4096),
            lambda model, x: model(x).sum(),
            prepare=adapted(rank=2),
        )
        for rows in (256, 4096)  # activations of 4 and of 64 MiB
    ]
    few, many = found
    assert few.activations / 5 < few.holes < few.activations / 2
    assert many.holes < many.activations / 100
    assert many.resident == many.peak + many.holes

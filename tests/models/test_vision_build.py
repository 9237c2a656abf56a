"""Nets of torchvision and timm open without a factory, and compute what their library's do."""

import numpy as np
import pytest
import torch
from PIL import Image

from lora_lab.adapters.inject import switched
from lora_lab.errors import CheckpointError
from lora_lab.formats.verify import export
from lora_lab.models.inspect import describe
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from tests.models.vision import libraries

pytestmark = [pytest.mark.vision, pytest.mark.filterwarnings("ignore")]
SIZE = (300, 260)  # of a picture, width and height; no net's own


@pytest.fixture(scope="module", autouse=True)
def both():
    return libraries()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 140), ("mid", 70)):
        (place / name).mkdir()
        for i in range(4):
            small = random.integers(low, low + 110, (9, 11, 3)).astype(np.uint8)
            Image.fromarray(small).resize(SIZE).save(place / name / f"{i}.png")
    return place


def library_net(name, classes, seed=0):
    """(net, its library's own way from a PIL image to a tensor)"""
    torch.manual_seed(seed)
    library, name = name.split(":")
    tv, timm = libraries()
    if library == "torchvision":
        net = tv.models.get_model(name, weights=None, num_classes=classes)
        return net.eval(), tv.models.get_model_weights(name).DEFAULT.transforms()
    net = timm.create_model(name, num_classes=classes).eval()
    how = timm.data.resolve_model_data_config(net)
    return net, timm.data.create_transform(**how, is_training=False)


def config_of(file, data, **settings):
    return starting_config(
        "image_classification", model=str(file), data=str(data), max_steps=2, epochs=None,
        batch_size=4, validation=0.25, eval_steps=1000,
        **{"hyper": {"rank": 2, "learning_rate": 1e-2}, **settings},
    )  # fmt: skip


CASES = [
    ("torchvision:resnet18", "torchvision:resnet18"),
    ("torchvision:mobilenet_v3_small", ""),
    ("torchvision:squeezenet1_1", ""),
    ("torchvision:shufflenet_v2_x0_5", ""),
    ("torchvision:densenet121", "torchvision:densenet121"),
    ("torchvision:mnasnet0_5", ""),
    ("timm:test_resnet", ""),
    ("timm:test_vit", ""),
    ("timm:test_efficientnet", ""),
    ("timm:test_convnext", ""),
]


@pytest.mark.parametrize(
    ("name", "reading", "form"),
    [*((*case, "plain") for case in CASES), (*CASES[1], "ddp"), (*CASES[6], "ddp")],
)
def test_a_file_with_another_number_of_classes_is_that_net_with_a_fresh_head(
    tmp_path, data, name, reading, form
):
    net, transform = library_net(name, 10)
    state = net.state_dict()
    if form == "plain":
        torch.save(state, file := tmp_path / "net.pt")
    else:  # as PyTorch's example of ImageNet saves it
        state = {f"module.{key}": tensor for key, tensor in state.items()}
        saved = {"epoch": 3, "arch": name, "state_dict": state, "best_acc1": torch.tensor(7.0)}
        torch.save(saved, file := tmp_path / "checkpoint.pth.tar")
    (about,) = describe(file).details
    assert name.replace(":", "'s ") in about[1]
    experiment = Experiment.build(config_of(file, data, reading=reading))
    task, model = experiment.task, experiment.model.eval()
    assert task.new_layers
    own = {k: v for k, v in model.state_dict().items() if ".lora_" not in k}
    new = {f"{layer}.{part}" for layer in task.new_layers for part in ("weight", "bias")}
    mine, _ = library_net(name, 3, seed=1)
    heads = {k.replace(".base_layer", ""): v for k, v in own.items()}
    for key, tensor in net.state_dict().items():
        if key not in new:
            assert torch.equal(heads[key], tensor), key
    wanted = mine.state_dict()
    for key in wanted:
        wanted[key] = heads[key]
    mine.load_state_dict(wanted)
    files = sorted(data.glob("*/*.png"))
    with torch.no_grad(), switched(experiment.layers, False):
        there = mine(torch.stack([transform(Image.open(file)) for file in files]))
        here = model(task._inputs(task.images[:3]))
    apart = (here[:, None] - there[None]).abs().amax(2)  # (3, files), in logits
    assert (apart.amin(1) <= 1e-4 * there.abs().max()).all()
    assert len(set(apart.argmin(1).tolist())) == 3


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:test_vit"])
def test_the_peft_folder_of_a_run_computes_the_same_on_the_librarys_net(tmp_path, data, name):
    from peft import PeftModel

    net, _ = library_net(name, 10)
    torch.save(net.state_dict(), file := tmp_path / "net.pt")
    experiment = Experiment.build(config_of(file, data))
    losses = [r.loss for r in train(experiment, Controls(experiment.hyper))
              if isinstance(r, StepRecord)]  # fmt: skip
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    export(experiment.weights(), tmp_path / "peft")
    mine, _ = library_net(name, 3)
    result = mine.load_state_dict(
        {k: v for k, v in net.state_dict().items() if k.rpartition(".")[0] not in
         experiment.task.new_layers}, strict=False,
    )  # fmt: skip
    assert not result.unexpected_keys
    adapted = PeftModel.from_pretrained(mine, str(tmp_path / "peft")).eval()
    task, model = experiment.task, experiment.model.eval()
    with torch.no_grad():
        images = task._inputs(task.images[:3])
        here, there = model(images), adapted(images)
        assert (here - there).abs().max() <= 1e-5 * here.abs().max()


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:test_resnet"])
def test_a_head_that_fits_the_classes_asks_what_its_pixels_are(tmp_path, data, name):
    net, _ = library_net(name, 3)
    torch.save(net.state_dict(), file := tmp_path / "net.pt")
    with pytest.raises(CheckpointError) as error:
        Experiment.build(config_of(file, data))
    for reading in (name, f"{name}/0to1", f"{name}/-1to1"):
        assert f"{reading} (" in str(error.value)
    for reading, scale in ((name, None), (f"{name}/-1to1", 2 / 255), (f"{name}/0to1/32", 1 / 255)):
        experiment = Experiment.build(config_of(file, data, reading=reading))
        task = experiment.task
        assert task.new_layers == ()
        assert any(reading in note for note in task.notes)
        if scale:
            low, high = task._inputs(torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None]
                                     .expand(2, 1, 1, 3)).flatten(1)[:, 0]  # fmt: skip
            assert torch.isclose(high - low, torch.tensor(255 * scale))
        if reading.endswith("/32"):
            assert task.images.shape[1:3] == (32, 32)


def test_nets_that_compute_otherwise_from_the_same_tensors_are_asked_for(tmp_path, data):
    """timm's vit and deit: the same tensors, other pixels."""
    net, _ = library_net("timm:deit_tiny_patch16_224", 10)
    torch.save(net.state_dict(), file := tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="--reading timm:") as error:
        Experiment.build(config_of(file, data))
    for name in ("vit_tiny_patch16_224", "deit_tiny_patch16_224"):
        assert f"timm:{name}" in str(error.value)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda tv: tv.segmentation.fcn_resnet50(weights=None, weights_backbone=None),
         "torchvision's fcn_resnet50, which classifies no images"),
        (lambda tv: tv.inception_v3(weights=None, init_weights=False), "transform_input"),
        (lambda tv: one_channel(tv.resnet18()), "tensors of other shapes"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_named(tmp_path, data, made, words):
    torch.save(made(libraries()[0].models).state_dict(), file := tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=words):
        Experiment.build(config_of(file, data))


def one_channel(net):
    net.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return net


def test_every_line_of_the_table_is_what_the_library_builds():
    """Some of each library; the whole table is made by resources/vision/make_architectures.py."""
    from lora_lab.models.vision_nets import recognised

    for name in (
        "torchvision:resnet50", "torchvision:vit_b_16", "torchvision:swin_t",
        "torchvision:regnet_y_400mf", "timm:resnet26d", "timm:mobilenetv4_conv_small",
    ):  # fmt: skip
        net, _ = library_net(name, 5)
        exact, _ = recognised({k: tuple(t.shape) for k, t in net.state_dict().items()})
        assert name in [str(found) for found in exact]

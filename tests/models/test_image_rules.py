"""Images reach a model as its own processor makes them, to a step of a byte, or are refused."""

import json
import os

import numpy as np
import pytest
import transformers
from transformers import AutoImageProcessor
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from lora_lab.errors import CheckpointError
from lora_lab.models.base import config_values
from lora_lab.models.image_rules import open_image_rules
from tests.models.tiny import save

FAMILIES = [
    "beit", "bit", "clip", "convnext", "deit", "dinov2", "efficientnet", "mobilenet_v1",
    "mobilenet_v2", "mobilevit", "perceiver", "poolformer", "resnet", "siglip", "swin", "vit",
]  # fmt: skip
VIT = {"image_processor_type": "ViTImageProcessor"}
OWN = {
    "not normalized": {**VIT, "do_normalize": False},
    "not rescaled": {**VIT, "do_rescale": False, "do_normalize": False},
    "another factor": {**VIT, "rescale_factor": 1 / 127.5, "do_normalize": False},
    "another mean": {**VIT, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 1.0]},
    "height and width": {**VIT, "size": {"height": 20, "width": 30}},
    "one number": {**VIT, "size": 24},
    "nearest": {**VIT, "resample": 0},
    "bicubic": {**VIT, "resample": 3},
    "cut to a part": {
        "image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 40},
        "crop_pct": 0.7,
    },
    "shortest edge, then cut": {
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32},
        "crop_size": {"height": 28, "width": 28},
    },
    "blue first": {"image_processor_type": "MobileViTImageProcessor", "crop_size": 32,
                   "size": {"shortest_edge": 36}},
    "an older name": {"feature_extractor_type": "ViTFeatureExtractor", "size": 18},
}  # fmt: skip
SHAPES = [(60, 90), (90, 60), (33, 120), (224, 224), (5, 7)]


def reference(folder, image):
    processor = AutoImageProcessor.from_pretrained(str(folder), backend="pil")
    return np.asarray(processor(images=[image], return_tensors="np")["pixel_values"])[0]


def check(folder):
    rules = open_image_rules(folder)
    generator = np.random.default_rng(3)
    scale, shift = (np.array(v)[:, None, None] for v in (rules.scale, rules.shift))
    for shape in SHAPES:
        image = generator.integers(0, 256, (*shape, 3), dtype=np.uint8)
        values = rules.prepare(image)
        assert (values.dtype, values.shape) == (np.uint8, (*rules.size, 3))
        away = np.abs(values.transpose(2, 0, 1) * scale + shift - reference(folder, image))
        assert (away <= np.abs(scale)).all(), "a step of a byte"


@pytest.mark.parametrize("family", FAMILIES)
def test_images_are_those_of_the_familys_own_processor(tmp_path, family):
    names = IMAGE_PROCESSOR_MAPPING_NAMES[family]
    name = names.get("pil") if isinstance(names, dict) else names[0]
    getattr(transformers, name)().save_pretrained(tmp_path)
    config = {"model_type": family, "image_size": 224}
    (tmp_path / "config.json").write_text(json.dumps(config))
    check(tmp_path)


@pytest.mark.parametrize("name", OWN)
def test_images_are_those_of_rules_that_were_changed(tmp_path, name):
    save(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(OWN[name]))
    check(tmp_path)


def test_without_rules_it_is_said_what_is_done(tmp_path):
    save(tmp_path, "vit")
    rules = open_image_rules(tmp_path)
    assert (rules.size, rules.prepare) == ((8, 8), None)
    np.testing.assert_allclose(np.array([0, 255]) * rules.scale[0] + rules.shift[0], [-1, 1])
    assert "no preprocessor_config.json" in rules.notes[0]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({**VIT, "size": "large"}, "which images"),
        ({**VIT, "size": 10**9}, "which images"),
        ({**VIT, "size": {"height": 10**6, "width": 4}}, "which images"),
        ({**VIT, "size": {"height": 8192, "width": 8192}}, "of 67,108,864 pixels"),
        ({**VIT, "size": {"shortest_edge": 8192}}, "of 67,108,864 pixels"),
        ({**VIT, "size": 4096}, "of 16,777,216 pixels"),
        ({**VIT, "crop_size": [4096, 2048]}, "of 8,388,608 pixels"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 380},
          "crop_pct": 0.11}, "of 144,400 pixels"),
        ({"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 2**24}, "min_pixels"),
        ({"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": True,
          "min_patches": 40, "size": {"height": 500, "width": 500}}, "10,000,000 pixels"),
        ({"image_processor_type": "MaskFormerImageProcessor", "size_divisor": 8192},
         "67,108,864 pixels"),
        ({"image_processor_type": "LlavaNextImageProcessor",
          "image_grid_pinpoints": [[4096, 4096]]}, "334 pieces"),
        ({**VIT, "image_std": [0, 1, 1]}, "which images"),
        ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224},
          "crop_pct": 1e-4}, "crop_pct"),
        ({"image_processor_type": "GLPNImageProcessor", "size_divisor": 10**6}, "size_divisor"),
        ({"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 10**10}, "min_pixels"),
        ({**VIT, "patch_size": {"height": 10**9}}, "height"),
        ({**VIT, "image_std": [1e300] * 3}, "image_std is"),
        ({**VIT, "image_std": [1e-300] * 3}, "image_std is"),
        ({**VIT, "image_mean": [-1e300] * 3}, "image_mean is"),
        ({**VIT, "image_std": [float("inf")] * 3}, "Infinity is not a number"),
        ({**VIT, "image_mean": [1]}, "1 numbers for 3 channels"),
        ({"image_processor_type": "NoSuchProcessor"}, "which images"),
        ({**VIT, "auto_map": {"AutoImageProcessor": "code.Mine"}}, "code of its author"),
        ({"image_processor_type": "OneFormerImageProcessor", "class_info_file": "/etc/passwd"},
         "reads a file of names"),
        ({"image_processor_type": "ImageGPTImageProcessor", "clusters": [[0, 0, 0]] * 512,
          "size": {"height": 700, "width": 700}}, "compares each pixel"),
        ({"image_processor_type": "LayoutLMv2ImageProcessor", "apply_ocr": True}, "with a program"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 30},
             "do_resize": False}, "different sizes",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("apart", [True, False])
def test_rules_that_cannot_be_followed_are_refused(tmp_path, values, reason, apart):
    """Also where they are part of a processor's file, which the library takes before the other."""
    save(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values if apart else VIT))
    if not apart:
        whole = {"processor_class": "X", "image_processor": values}
        (tmp_path / "processor_config.json").write_text(json.dumps(whole))
    with pytest.raises(CheckpointError, match=reason):
        open_image_rules(tmp_path)


@pytest.mark.parametrize("beside", [True, False])
def test_the_rules_of_a_processors_file_are_the_librarys(tmp_path, beside):
    save(tmp_path, "vit")
    whole = {"image_processor": {**VIT, "size": {"height": 12, "width": 16}}}
    (tmp_path / "processor_config.json").write_text(json.dumps(whole))
    if beside:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({**VIT, "size": 20}))
    check(tmp_path)
    assert open_image_rules(tmp_path).size == (12, 16)


@pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_settings_of_somebody_else_are_not_read_through_a_link(tmp_path, name):
    model = tmp_path / "model"
    save(model, "vit")
    (model / "preprocessor_config.json").write_text(json.dumps(VIT))
    (model / name).rename(tmp_path / name)
    (model / name).symlink_to(tmp_path / name)
    with pytest.raises(CheckpointError, match=f"{name} is a link that leads out of model"):
        open_image_rules(model)
    if name == "config.json":
        with pytest.raises(CheckpointError, match="is a link that leads out of model"):
            config_values(model)

"""What image processors may make of one image, by their settings."""

from types import SimpleNamespace

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.models.image_cost import check_cost

PAIRS = [[384 * a, 384 * b] for a in range(1, 7) for b in range(1, 7)]


def edges(height, width=0):
    return {"height": height, "width": width or height}


def longest(edge, shortest=None):
    return {"longest_edge": edge} | ({"shortest_edge": shortest} if shortest else {})


def made(**settings):
    """An opened image processor; what begins with a capital letter is its class's own."""
    own = {name.lower(): value for name, value in settings.items() if name[0].isupper()}
    found = type("Images", (), {**own, "to_dict": lambda self: dict(vars(self))})()
    vars(found).update({name.lower(): value for name, value in settings.items()})
    return found


def whole(**settings):
    return SimpleNamespace(tokenizer=SimpleNamespace(), image_token="<image>", **settings)


QWEN = {"Merge_size": 2, "patch_size": 16, "temporal_patch_size": 2}
# As repositories of these models say.
REAL = {
    "LLaVA": (made(size={"shortest_edge": 336}, crop_size=edges(336)), whole(patch_size=14)),
    "LLaVA-OneVision": (made(size=edges(384), image_grid_pinpoints=PAIRS),
                        whole(patch_size=14, num_image_tokens=729)),
    "Granite Vision": (made(size=edges(384), image_grid_pinpoints=[[384, 3840], [3840, 384]]),
                       whole(patch_size=14)),
    "Gemma 3": (made(size=edges(896), pan_and_scan_max_num_crops=4), whole(image_seq_length=256)),
    "Gemma 4": (made(patch_size=16, max_soft_tokens=280, pooling_kernel_size=3),
                whole(image_seq_length=280)),
    "SmolVLM": (made(size=longest(2048), Max_image_size=longest(512)), whole(image_seq_len=64)),
    "Idefics 3": (made(size=longest(1456), Max_image_size=longest(364)),
                  whole(image_seq_len=169)),
    "Pixtral": (made(size=longest(1540), patch_size=edges(14)),
                whole(patch_size=14, spatial_merge_size=2)),
    "Qwen 3": (made(size=longest(2**24, 65536), **QWEN), whole()),
    "Qwen 2": (made(size=longest(12_845_056, 3136), **{**QWEN, "patch_size": 14}), whole()),
    "GLM 4.6": (made(size=longest(11_760_000, 12_544), **{**QWEN, "patch_size": 14}), whole()),
    "InternVL": (made(size=edges(448), min_patches=1, max_patches=12),
                 whole(image_seq_length=256)),
    "Llama 4": (made(size=edges(336), max_patches=16), whole(patch_size=14)),
    "Llama 3.2": (made(size=edges(560), max_image_tiles=4), whole()),
    "Phi 4": (made(size=edges(448), dynamic_hd=36), whole()),
    "Kosmos 2.5": (made(patch_size=edges(16), max_patches=4096), whole(num_image_tokens=2048)),
    "LFM 2": (made(size=edges(512), Tile_size=512, max_tiles=10, max_image_tokens=256,
                   encoder_patch_size=16, downsample_factor=2, max_num_patches=1024), whole()),
    "Molmo 2": (made(size=edges(378), max_crops=8, patch_size=14, pooling_size=[2, 2]), whole()),
    "Aria": (made(max_image_size=980, min_image_size=336,
                  split_resolutions=[[490, 3920], [980, 1960]]), whole(image_seq_len=256)),
    "DETR": (made(size=longest(1333, 800), pad_size=None), None),
    "Fuyu": (made(size=edges(1080, 1920), patch_size=edges(30)), whole()),
    "many tiles": (made(size=longest(3072), Max_image_size=longest(512), max_image_tiles=27),
                   whole(image_seq_len=64)),
    "pages": (made(size=edges(1024), max_patches=32, Tile_size=640), whole()),
}  # fmt: skip


@pytest.mark.parametrize("kind", REAL)
def test_settings_of_real_models_are_held_to_be_sound(kind):
    images, of = REAL[kind]
    check_cost(images, kind, whole=of)


HOSTILE = {
    "edges": (made(size=edges(8192)), whole(), "67,108,864 pixels"),
    "an edge": (made(size=longest(8192, 1), Max_image_size=longest(2048)), whole(), "pixels"),
    "pieces": (made(size=longest(2000), max_image_size=longest(1)), whole(), "4,000,000 pieces"),
    "pieces of a grid": (made(size=edges(1), image_grid_pinpoints=[[8, 8192]]), whole(), "65,536"),
    "patches": (made(size=edges(2000), min_patches=400, max_patches=400), whole(), "pieces"),
    "patches of some size": (made(size=edges(1000), min_patches=200), whole(), "200,000,000"),
    "crops": (made(size=edges(896), pan_and_scan_max_num_crops=250), whole(), "pixels"),
    "a divisor": (made(size=edges(8), size_divisor=8192), None, "pixels"),
    "units": (made(size=longest(10**6, 1), **{**QWEN, "patch_size": 1000, "merge_size": 1000}),
              whole(), "pixels"),
    "at least": (made(size={**longest(2**25, 2**25), "x": 1}, **QWEN), whole(), "at least"),
    "soft tokens": (made(patch_size=90, max_soft_tokens=10_000), whole(), "81,000,000 pixels"),
    "tokens of small patches": (made(size=edges(2000)), whole(patch_size=1), "4,000,000 tokens"),
    "tokens of small units": (made(size=longest(2**24, 1), Merge_size=1, patch_size=1), whole(),
                              "tokens"),
    "tokens of pieces": (made(size=longest(2048), Max_image_size=longest(512)),
                         whole(image_seq_len=10_000), "160,000 tokens"),
    "a long name": (made(size=edges(896)),
                    SimpleNamespace(tokenizer=SimpleNamespace(boi_token="a" * 10_000),
                                    image_seq_length=5000), "with a long name"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_settings_that_make_too_much_of_an_image_are_refused(kind):
    images, of, words = HOSTILE[kind]
    with pytest.raises(CheckpointError, match=words):
        check_cost(images, kind, whole=of)

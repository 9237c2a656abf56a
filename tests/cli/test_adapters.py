"""The verbs on adapters, as a newcomer runs them."""

import json
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.formats import FORMATS
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.requests import OF_FILES, PIPELINES
from tests.formats.adapters import weights_of
from tests.models import tiny

TARGETS = ["q_proj", "down_proj"]


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def facts(*arguments):
    done = verb(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verbs")
    tiny.save(folder / "base", "llama")
    for name, seed in (("one", 0), ("two", 1)):
        weights = weights_of(
            tiny.MODELS["llama"](), "lora", base=folder / "base", targets=TARGETS, seed=seed
        )
        export(weights, folder / name)
    return folder


@pytest.mark.parametrize("name", [name for name, *_ in OF_FILES])
def test_convert_there_and_back(llama, tmp_path, name):
    out = tmp_path / f"x{FORMATS[name].suffix}"
    part = ["--component", "transformer"] if name in PIPELINES else []
    there = facts("convert", llama / "one", "--to", name, "--out", out, "--base", llama / "base",
                  *part)  # fmt: skip
    assert there["format"] == name
    assert there["largest_error"] <= 1e-6
    back = facts("convert", out, "--to", "peft", "--out", tmp_path / "back")
    assert back["largest_error"] <= 1e-6
    told = facts("inspect", out)
    assert told["format"] == name.removesuffix("-portable")
    assert len(told["layers"]) == 4


def test_what_was_understood_is_told(llama, tmp_path):
    verb("convert", llama / "one", "--to", "kohya", "--component", "transformer",
         "--out", tmp_path / "k.safetensors")  # fmt: skip
    done = verb("convert", tmp_path / "k.safetensors", "--out", tmp_path / "back")
    assert "kohya file, 4 layers" in done.stderr
    assert "s = α/r" in done.stderr
    assert "re-read and compared" in done.stdout
    assert "SHA-256" in done.stdout


RULES = {
    "rank": (["--rank", 2], lambda f: set(f["ranks"].values()) == {2}),
    "energy": (["--energy", 0.9], lambda f: f["energy_kept"] >= 0.9),
    "norm": (["--norm", 0.9], lambda f: f["energy_kept"] >= 0.81 - 1e-9),
    "sigma-ratio": (["--sigma-ratio", 1.5], lambda f: min(f["ranks"].values()) < 4),
    "size-mb": (["--size-mb", 0.004], lambda f: f["bytes"] <= 6000),
    "per layer": (["--rank", 2, "--per-layer"], lambda f: f["energy_kept"] > 0.5),
}


@pytest.mark.parametrize("name", RULES)
def test_resize_by_every_rule(llama, tmp_path, name):
    flags, holds = RULES[name]
    found = facts("resize", llama / "one", *flags, "--out", tmp_path / "x")
    assert holds(found), found
    ranks = {x.name: x.rank for x in open_adapter(tmp_path / "x").layers}
    assert ranks == found["ranks"]
    done = verb("resize", llama / "one", *flags, "--out", tmp_path / "y")
    assert "energy is kept" in done.stdout
    assert all(line.strip() for line in done.stderr.splitlines()), (
        "no bar where it is not a terminal"
    )


def test_merge_shows_every_way_and_writes_one(llama, tmp_path):
    pair = (f"{llama / 'one'}:0.7", f"{llama / 'two'}:0.3")
    found = facts("merge", *pair, "--out", tmp_path / "x")
    assert found["methods"]["exact"] <= 1e-6
    assert found["methods"]["linear"] > 0.1
    assert found["error"] == found["methods"]["exact"]
    cut = facts("merge", *pair, "--rank", 2, "--out", tmp_path / "y")
    assert cut["error"] > 0.1
    done = verb("merge", *pair, "--method", "linear", "--out", tmp_path / "z")
    assert "% error" in done.stdout


def test_extract_and_a_merged_checkpoint(llama, tmp_path):
    merged = facts("convert", llama / "one", "--to", "merged", "--base", llama / "base",
                   "--out", tmp_path / "tuned")  # fmt: skip
    assert merged["largest_loss"] <= 1e-6
    found = facts("extract", "--base", llama / "base", "--tuned", tmp_path / "tuned", "--rank", 4,
                  "--out", tmp_path / "x")  # fmt: skip
    names = {layer.name for layer in open_adapter(llama / "one").layers}
    assert {fit["name"] for fit in found["fits"]} == names
    assert all(fit["error"] <= 1e-4 for fit in found["fits"])
    told = verb("extract", "--base", llama / "base", "--tuned", tmp_path / "tuned", "--rank", 1,
                "--out", tmp_path / "y").stdout  # fmt: skip
    assert "least possible" in told


def test_compare_and_inspect_beside_the_base(llama):
    found = facts("compare", llama / "one", llama / "two")
    assert len(found["layers"]) == 4
    assert all(abs(row["cosine"]) < 0.5 for row in found["layers"])
    assert "cosine" in verb("compare", llama / "one", llama / "two").stdout
    told = facts("inspect", llama / "one", "--base", llama / "base", "--intruders")
    assert all(row["base"]["relative_norm"] > 0 for row in told["layers"])
    assert all(row["base"]["intruders"] is not None for row in told["layers"])
    table = verb("inspect", llama / "one", "--base", llama / "base").stdout
    assert "model.layers.0.self_attn.q_proj" in table, "names are never cut"


def test_all_that_is_shown_of_a_dora_is_of_one_thing(tmp_path):
    """Of s·B·A without the base, of the real ΔW with it, which torch's own SVD confirms."""
    import torch

    from lora_lab.models.inspect import read_tensor
    from lora_lab.workshop.places import real_delta

    tiny.save(tmp_path / "base", "llama")
    weights = weights_of(tiny.MODELS["llama"](), "dora", targets=TARGETS)
    export(weights, tmp_path / "a")
    alone = facts("inspect", tmp_path / "a")
    beside = facts("inspect", tmp_path / "a", "--base", tmp_path / "base")
    assert any("of s·B·A" in note for note in alone["notes"])
    assert any("of the real ΔW" in note for note in beside["notes"])
    assert "‖s·B·A‖" in verb("inspect", tmp_path / "a").stdout
    rows = {row["name"]: row for row in alone["layers"]}
    real = {row["name"]: row for row in beside["layers"]}
    for layer in weights.layers:
        W = read_tensor(tmp_path / "base", f"{layer.name}.weight")
        for row, delta in ((rows, layer.delta_weight()), (real, real_delta(layer, W))):
            sigma = torch.linalg.svdvals(delta.double())
            shown = torch.tensor(row[layer.name]["singular_values"], dtype=torch.float64)
            torch.testing.assert_close(shown, sigma[: len(shown)], rtol=1e-5, atol=1e-7)
            assert row[layer.name]["delta_norm"] == pytest.approx(float(delta.norm()), rel=1e-5)
        told = real[layer.name]
        ratio = told["base"]["relative_norm"] * told["base"]["weight_norm"]
        assert ratio == pytest.approx(told["delta_norm"], rel=1e-6)


BAD = {
    "no such format": (["convert", "{one}", "--to", "onnx", "--out", "{out}"], "not an export"),
    "no rule": (["resize", "{one}", "--out", "{out}"], "Give one of --rank"),
    "two rules": (["resize", "{one}", "--rank", "1", "--norm", "1", "--out", "{out}"], "only one"),
    "a rank of 0": (["resize", "{one}", "--rank", "0", "--out", "{out}"], "from 1"),
    "no component": (["convert", "{one}", "--to", "kohya", "--out", "{out}"], "--component"),
    "no such component": (
        ["convert", "{one}", "--to", "kohya", "--component", "x", "--out", "{out}"], "no component",
    ),
    "flat names": (["convert", "{k}", "--out", "{out}"], "--base"),
    "no base": (["convert", "{k}", "--to", "merged", "--out", "{out}"], "needs the base"),
    "nothing there": (["compare", "{one}", "/nowhere"], "no such file"),
    "one alone": (["merge", "{one}:1", "--out", "{out}"], "two adapters"),
    "no such method": (["merge", "{one}", "{two}", "--method", "x", "--out", "{out}"], "no method"),
    "no such type": (["convert", "{one}", "--dtype", "int8", "--out", "{out}"], "no dtype"),
    "stands": (["convert", "{two}", "--out", "{one}"], "already holds"),
    "not a base": (["extract", "--base", "{one}", "--tuned", "{one}", "--out", "{out}"], "config"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_can_be_mended_is_one_line(llama, tmp_path, name):
    arguments, reason = BAD[name]
    import safetensors.torch
    import torch

    k = tmp_path / "k.safetensors"
    pair = {"lora_unet_a.lora_down.weight": torch.ones(1, 2),
            "lora_unet_a.lora_up.weight": torch.ones(2, 1)}  # fmt: skip
    safetensors.torch.save_file(pair, k)
    places = {"one": llama / "one", "two": llama / "two", "out": tmp_path / "out", "k": k}
    done = verb(*(a.format(**places) for a in arguments))
    assert done.exit_code == 1, done.output
    assert reason in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_file_is_proved_by_its_library_on_request(llama, tmp_path):
    done = verb("convert", llama / "one", "--prove", "--out", tmp_path / "proved")
    assert done.exit_code == 0, done.output
    assert f"proved by peft {version('peft')} (largest error of ΔW " in done.stdout
    told = facts("resize", llama / "one", "--rank", 2, "--prove", "--out", tmp_path / "cut")
    assert told["proved"].startswith(f"peft {version('peft')}")
    target = tmp_path / "a.safetensors"
    done = verb("convert", llama / "one", "--to", "kohya", "--prove", "--out", target)
    assert done.exit_code == 1
    assert "proved by re-reading alone" in " ".join(done.stderr.split())
    assert not target.exists()

"""An export is delivered only when its file has proved itself; otherwise nothing has changed."""

import errno
import json
import os
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from lora_lab import atomic
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import Cancelled, ExportError
from lora_lab.formats import FORMATS, verify
from lora_lab.formats.peft import CONFIG, TENSORS, load
from lora_lab.formats.verify import export, exporting
from lora_lab.plain import plain


def layer(name, out=5, inside=4, rank=2, alpha=4.0):
    generator = torch.Generator().manual_seed(len(name))
    a = torch.randn(rank, inside, generator=generator)
    b = torch.randn(out, rank, generator=generator)
    return LayerWeights(name, a, b, alpha, alpha / rank)


def kinds():
    """DoRA of a convolution in groups with one output each, an embedding and a linear layer."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    B = torch.block_diag(*draw(4, 1, 2))
    conv = LayerWeights("net.conv", draw(8, 6), B, 8.0, 1.0, "conv", (4, 2, 3), 4, draw(4))
    table = LayerWeights(
        "net.table", draw(2, 9), draw(5, 2), 4.0, 2.0, "embedding", (9, 5), 1, draw(5)
    )
    return AdapterWeights("dora", (conv, table, replace(layer("net.one"), magnitude=draw(5))))


@pytest.fixture
def weights():
    return AdapterWeights("lora", (layer("net.one"), layer("net.three", rank=3)))


def untrained(one):
    return replace(one, lora_B=torch.zeros_like(one.lora_B))


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def standing(weights, tmp_path):
    """An older adapter at the target, which a failed export must leave alone."""
    older = replace(weights, layers=weights.layers[:1])
    export(older, tmp_path / "out")
    return contents(tmp_path)


def test_the_report_says_what_was_measured(weights, tmp_path):
    report = export(weights, tmp_path / "new" / "out")
    assert report.format == "peft"
    assert report.path == str(tmp_path / "new" / "out")
    assert [(x.name, x.rank) for x in report.layers] == [("net.one", 2), ("net.three", 3)]
    assert report.largest_error <= 1e-12
    assert report.keys == 4
    assert report.bytes == (tmp_path / "new" / "out" / TENSORS).stat().st_size
    import hashlib

    raw = (tmp_path / "new" / "out" / TENSORS).read_bytes()
    assert report.sha256 == hashlib.sha256(raw).hexdigest()
    assert os.listdir(tmp_path / "new") == ["out"]
    assert json.loads(json.dumps(plain(report)))["keys"] == 4
    assert len(load(tmp_path / "new" / "out").layers) == 2


def test_a_layer_that_stands_still_is_noted(weights, tmp_path):
    mixed = replace(weights, layers=(untrained(weights.layers[0]), weights.layers[1]))
    report = export(mixed, tmp_path / "out")
    assert "ΔW = 0 in net.one" in report.notes
    assert report.layers[0].error == 0.0


def non_finite(value):
    def spoil(weights):
        one = weights.layers[1]
        b = one.lora_B.clone()
        b[0, 0] = value
        return replace(weights, layers=(weights.layers[0], replace(one, lora_B=b)))

    return spoil


REFUSED = {
    "empty": (lambda w: replace(w, layers=()), "empty"),
    "untrained": (
        lambda w: replace(w, layers=tuple(map(untrained, w.layers))),
        r"ΔW = 0 in every layer \(net.one, net.three\)",
    ),
    "zero scaling": (
        lambda w: replace(w, layers=tuple(replace(x, scaling=0.0) for x in w.layers)),
        "scale s is 0 in every layer",
    ),
    "NaN": (non_finite(float("nan")), "NaN or infinite values in net.three"),
    "infinite": (non_finite(float("inf")), "NaN or infinite values in net.three"),
    "infinite magnitude": (
        lambda w: replace(
            w,
            layers=tuple(replace(x, magnitude=torch.full((5,), float("inf"))) for x in w.layers),
        ),
        "NaN or infinite values in net.one, net.three",
    ),
    "NaN alpha": (
        lambda w: replace(w, layers=(replace(w.layers[0], alpha=float("nan")),)),
        "NaN or infinite values in net.one",
    ),
    "two of one name": (lambda w: replace(w, layers=w.layers[:1] * 2), "used 2 times"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_useless_adapter_is_refused_with_the_reason(case, weights, tmp_path, standing):
    spoil, message = REFUSED[case]
    with pytest.raises(ExportError, match=message):
        export(spoil(weights), tmp_path / "out", overwrite=True)
    assert contents(tmp_path) == standing
    with pytest.raises(ExportError, match=message):
        export(spoil(weights), tmp_path / "other")
    assert contents(tmp_path) == standing


def test_an_unknown_format_is_refused(weights, tmp_path):
    with pytest.raises(ExportError, match="there are peft"):
        export(weights, tmp_path / "out", "gguf2")


def test_an_adapter_is_overwritten_only_when_asked(weights, tmp_path, standing):
    with pytest.raises(ExportError, match="already holds an adapter"):
        export(weights, tmp_path / "out")
    assert contents(tmp_path) == standing
    (tmp_path / "out" / ".DS_Store").write_bytes(b"")
    export(weights, tmp_path / "out", overwrite=True)
    assert len(load(tmp_path / "out").layers) == 2
    assert sorted(os.listdir(tmp_path / "out")) == [CONFIG, TENSORS]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_folder_is_never_touched(overwrite, weights, tmp_path, standing):
    (tmp_path / "out" / "thesis.tex").write_text("three years of work")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match=r"other things than an adapter .thesis\.tex"):
        export(weights, tmp_path / "out", overwrite=overwrite)
    with pytest.raises(ExportError, match="holds other things"):
        export(weights, tmp_path, overwrite=overwrite)
    with pytest.raises(ExportError, match="is a file"):
        export(weights, tmp_path / "out" / "thesis.tex", overwrite=overwrite)
    assert contents(tmp_path) == before


def test_an_empty_folder_may_be_used(weights, tmp_path):
    (tmp_path / "out").mkdir()
    export(weights, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [CONFIG, TENSORS]


def test_a_link_is_followed_and_kept(weights, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export(weights, tmp_path / "link")
    export(weights, tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path / "real")) == [CONFIG, TENSORS]


def spoil_tensors(edit):
    def spoil(folder):
        tensors = safetensors.torch.load_file(folder / TENSORS)
        edit(tensors)
        safetensors.torch.save_file(tensors, folder / TENSORS)

    return spoil


def spoil_config(**changes):
    def spoil(folder):
        values = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps({**values, **changes}))

    return spoil


def nudge(tensors):
    key = next(key for key in tensors if key.endswith("one.lora_B.weight"))
    tensors[key] *= 1.0001


def swap(tensors):
    keys = [key for key in tensors if key.endswith("one.lora_A.weight")]
    tensors[keys[0]] = tensors[keys[0]].flip(0)


def drop(tensors):
    for key in [key for key in tensors if "three" in key]:
        del tensors[key]


def transpose(tensors):
    a, b = sorted(key for key in tensors if "one" in key)
    tensors[a], tensors[b] = tensors[b].T.contiguous(), tensors[a].T.contiguous()


def cut(folder):
    (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-1])


TAMPERED = {
    "a factor is a little off": spoil_tensors(nudge),
    "rows in another order": spoil_tensors(swap),
    "a layer is lost": spoil_tensors(drop),
    "factors transposed": spoil_tensors(transpose),
    "another alpha": spoil_config(lora_alpha=5),
    "rslora flag flipped": spoil_config(use_rslora=True),
    "patterns lost": spoil_config(rank_pattern={}, alpha_pattern={}),
    "alpha pattern lost": spoil_config(alpha_pattern={"^net\\.three": 5}),
    "a target lost": spoil_config(target_modules=["net.one"]),
    "file cut": cut,
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_file_that_is_wrong_is_not_delivered(case, weights, tmp_path, standing, monkeypatch):
    kind = FORMATS["peft"]

    def save(weights, folder):
        notes = kind.save(weights, folder)
        TAMPERED[case](folder)
        return notes

    monkeypatch.setitem(FORMATS, "peft", replace(kind, save=save))
    with pytest.raises(ExportError):
        export(weights, tmp_path / "out", overwrite=True)
    with pytest.raises(ExportError):
        export(weights, tmp_path / "other")
    assert contents(tmp_path) == standing
    assert os.listdir(tmp_path) == ["out"]


def stages(weights, target, kind, part=""):
    told = exporting(weights, target, kind, component=part)
    return [found for found in told if isinstance(found, tuple)]


@pytest.mark.parametrize("kind", ["peft", "kohya"])
def test_an_export_that_is_cancelled_at_any_stage_leaves_no_trace(
    kind, weights, tmp_path, standing
):
    target = tmp_path / ("out" if kind == "peft" else "out/adapter.safetensors")
    if kind == "kohya":
        target.write_bytes(b"what stood there")
    before = contents(tmp_path)
    part = "unet" if kind == "kohya" else ""
    told = stages(weights, tmp_path / "elsewhere", kind, part)
    (shutil.rmtree if kind == "peft" else os.remove)(tmp_path / "elsewhere")
    assert len(told) >= 4  # written, each of two layers compared, put in its place
    assert [share for _, share in told if share >= 0] == sorted(s for _, s in told if s >= 0)
    for last in range(len(told)):
        heard = []

        def report(what, share, last=last, heard=heard):
            heard.append((what, share))
            if len(heard) > last:
                raise Cancelled("cancelled")

        for place in (target, tmp_path / "new" / "place"):
            with pytest.raises(Cancelled):
                export(weights, place, kind, overwrite=True, report=report, component=part)
            assert heard == told[: last + 1]
            assert contents(tmp_path) == before
            heard.clear()
    assert export(weights, target, kind, overwrite=True, component=part).largest_error <= 1e-12


def change(key, edit):
    def apply(tensors):
        tensors["base_model.model.net." + key] = edit(tensors["base_model.model.net." + key])

    return spoil_tensors(apply)


TAMPERED_KINDS = {
    "channels of another group": change("conv.lora_A.weight", lambda a: a.roll(2, 1).contiguous()),
    "channels swapped": change("conv.lora_A.weight", lambda a: a.flip(1).contiguous()),
    "the kernel turned": change("conv.lora_A.weight", lambda a: a.flip(2).contiguous()),
    "outputs of another group": change("conv.lora_B.weight", lambda b: b.roll(1, 0).contiguous()),
    "no groups": change("conv.lora_B.weight", lambda b: b.repeat(1, 4, 1)),
    "another token": change("table.lora_embedding_A", lambda a: a.roll(1, 1).contiguous()),
    "an embedding turned": change("table.lora_embedding_B", lambda b: b.flip(0).contiguous()),
    "a magnitude a little off": change("one.lora_magnitude_vector", lambda m: m * 1.0001),
    "a magnitude of a kernel": change("conv.lora_magnitude_vector", lambda m: m.flip(1)),
    "a flat magnitude": change("conv.lora_magnitude_vector", lambda m: m.flatten()),
    "no magnitudes": spoil_config(use_dora=False),
    "a magnitude less": spoil_tensors(lambda t: t.pop(min(k for k in t if "magnitude" in k))),
    "a key more": spoil_tensors(lambda t: t.update(more=torch.ones(2))),
}


@pytest.mark.parametrize("case", TAMPERED_KINDS)
def test_a_wrong_file_of_other_layers_is_not_delivered(case, tmp_path, monkeypatch):
    kind = FORMATS["peft"]

    def save(weights, folder):
        notes = kind.save(weights, folder)
        TAMPERED_KINDS[case](folder)
        return notes

    assert export(kinds(), tmp_path / "good").largest_error <= 1e-12
    monkeypatch.setitem(FORMATS, "peft", replace(kind, save=save))
    with pytest.raises(ExportError):
        export(kinds(), tmp_path / "out")
    assert os.listdir(tmp_path) == ["good"]


def test_what_was_written_bit_for_bit_needs_no_decomposition(weights, tmp_path, monkeypatch):
    def decomposed(*factors):
        raise AssertionError("it takes most of the time of an export")

    monkeypatch.setattr(verify, "_product_norm", decomposed)
    assert export(weights, tmp_path / "out").largest_error == 0.0


def test_a_path_below_a_file_says_so(weights, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match=r"a file, not a folder\. Choose another folder"):
        export(weights, tmp_path / "file" / "out")


FAILURES = {
    "full": (OSError(errno.ENOSPC, "No space left on device"), "the disk is full. Free some space"),
    "forbidden": (PermissionError(errno.EACCES, "Permission denied"), "may not write there"),
    "read-only": (OSError(errno.EROFS, "Read-only file system"), "read-only"),
    "full, from Rust": (SafetensorError("I/O error: No space left on device"), "disk is full"),
    "torch": (RuntimeError("unable to write file"), "unable to write file"),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("where", ["save", "mkdir", "replace"])
def test_a_disk_that_refuses_leaves_the_old_export(
    where, case, weights, tmp_path, standing, monkeypatch
):
    error, message = FAILURES[case]

    def fail(*args, **kwargs):
        raise error

    if where == "save":
        monkeypatch.setattr("lora_lab.formats.peft.write_file", fail)
    elif where == "mkdir":
        monkeypatch.setattr("pathlib.Path.mkdir", fail)
    else:
        monkeypatch.setattr(verify, "replace_folder", fail)
    with pytest.raises(ExportError, match=message) as caught:
        export(weights, tmp_path / "out", overwrite=True)
    monkeypatch.undo()
    assert str(tmp_path / "out") in str(caught.value)
    assert "unchanged" in str(caught.value)
    assert contents(tmp_path) == standing


def test_an_export_that_was_cut_off_is_found_again(weights, tmp_path, standing):
    os.rename(tmp_path / "out", atomic.aside(tmp_path / "out"))
    with pytest.raises(ExportError, match="already holds an adapter"):
        export(weights, tmp_path / "out")
    assert contents(tmp_path) == standing

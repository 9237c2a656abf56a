"""Any save of a run exported: PEFT, on the same base, has the loss that was measured at that step.

The proof is PEFT's own forward pass, never the lab's; and the command line and a run that is open
write the same factors to the bit.
"""

import json
import math
import warnings

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.exported import ExportedRecord
from lora_lab.presets import get_preset, starting_config
from lora_lab.records import ErrorRecord, EvalRecord, StateRecord, StepRecord
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.exportable import LAST, chosen, exportable
from lora_lab.runs.saves import listed
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.run import run
from lora_lab.training.saving.saved_adapter import adapter_at
from tests.models import tiny
from tests.training.driven_run import DrivenRun, digits
from tests.training.opened import opening

EDITED, END = 20, 50


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def config_of(variant, init):
    config = get_preset("digits").config
    values = {**config.hyper.model_dump(), "rank": 8, "alpha": 16.0, "learning_rate": 1e-3}
    return changed(
        config, variant=variant, init=init, max_steps=END, eval_steps=10, autosave_seconds=1000,
        schedule="constant", hyper=values,
    )  # fmt: skip


def trained(folder, variant="lora", init="kaiming", exports=(), rate=1e-3):
    """A run whose rank, or else α, was changed after step 20; with exports asked for at its end."""
    config = config_of(variant, init)
    controls, records, asked = Controls(config.hyper), [], False
    for record in run(opening(config, folder=folder), controls, serve_after_training=True):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == EDITED and not asked:
            asked = True
            edit = {"alpha": 8.0} if init != "kaiming" else {"rank": 3}
            controls.set_hyper(changed(controls.hyper, learning_rate=rate, **edit))
        if isinstance(record, StateRecord) and record.state.value == "finished":
            for export in exports:
                controls.request(export)
            controls.stop()
    return records


def measured(records):
    """Validation loss by step, and the best of them."""
    rows = [r for r in records if isinstance(r, EvalRecord) and r.enabled and r.step]
    best = [r for r in rows if r.best][-1]
    return {r.step: r.loss for r in rows}, (best.step, best.loss)


def by_peft(adapter):
    """The validation loss of an adapter folder as PEFT computes it on the preset's base."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft's own imports
        from peft import PeftModel

        task = Experiment.build(config_of("lora", "kaiming")).task
        model = PeftModel.from_pretrained(task.base_model(), str(adapter)).eval()
    with torch.no_grad():
        logits = model(task.test_images)
    return float(torch.nn.functional.cross_entropy(logits, task.test_labels))


@pytest.mark.parametrize(
    ("variant", "init"),
    [
        ("lora", "kaiming"),
        ("rslora", "kaiming"),
        ("dora", "kaiming"),
        ("lora", "pissa"),
        ("lora-fa", "kaiming"),
        ("vera", "kaiming"),
        ("lora-xs", "kaiming"),
    ],
)
def test_peft_has_the_loss_of_that_step(tmp_path, variant, init):
    names = {"best": tmp_path / "b", str(EDITED): tmp_path / "e", "last": tmp_path / "l"}
    live = {at: path.with_name(f"live-{path.name}") for at, path in names.items()}
    asked = [Export(str(path), at=at) for at, path in live.items()]
    records = trained(tmp_path / "run", variant, init, asked)
    losses, best = measured(records)
    expected = {"best": best[1], str(EDITED): losses[EDITED], "last": losses[END]}
    assert abs(losses[EDITED] - losses[END]) > 1e-4, "they can be told apart"
    reports = {r.report.path: r.report for r in records if isinstance(r, ExportedRecord)}
    for at, path in names.items():
        done = verb("export", tmp_path / "run", "--at", at, "--out", path)
        assert done.exit_code == 0, done.output
        assert by_peft(path) == pytest.approx(expected[at], rel=2e-5)
        one, other = (load_file(x / "adapter_model.safetensors") for x in (path, live[at]))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert reports[str(live["best"])].of_step == best[0]
    assert reports[str(live["best"])].validation_loss == best[1]
    assert reports[str(live[str(EDITED)])].of_step == EDITED
    kept = [json.loads(x) for x in (tmp_path / "run/exports.jsonl").read_text().splitlines()]
    assert [(x["of_step"], x["validation_loss"]) for x in kept[:1]] == [best]


def test_the_best_is_not_the_last_where_the_loss_has_risen(tmp_path):
    """A rate that ruins the adapter after step 20."""
    records = trained(tmp_path / "run", rate=1e-2)
    losses, best = measured(records)
    assert best[0] < END
    assert best[1] < losses[END]
    done = verb("export", tmp_path / "run", "--at", "best", "--out", tmp_path / "best", "--json")
    told = json.loads(done.stdout)
    assert (told["at"], told["step"], told["validation_loss"]) == ("best", *best)
    assert by_peft(tmp_path / "best") == pytest.approx(best[1], rel=2e-5)


def test_what_is_not_there_is_refused_with_what_is(tmp_path):
    config = config_of("lora", "kaiming")
    controls, records = Controls(config.hyper), []
    export = Export(str(tmp_path / "out"), at="7")
    for record in run(opening(config, folder=tmp_path / "run"), controls):
        records.append(record)
        if isinstance(record, StepRecord) and record.step == EDITED:
            controls.request(export)
    (error,) = [r for r in records if isinstance(r, ErrorRecord)]
    assert error.command == "Export"
    refused = verb("export", tmp_path / "run", "--at", "7", "--out", tmp_path / "out")
    assert refused.exit_code == 1
    for message in (error.message, refused.output):
        assert "no checkpoint '7'" in " ".join(message.split())
    assert f"{END:,}" in refused.output
    assert not (tmp_path / "out").exists()


def test_a_step_with_two_saves_asks_which(tmp_path):
    for step, keep in ((20, False), (20, True), (50, False)):
        write_checkpoint(tmp_path, step, {}, {"step": step}, keep)
    saves = listed(tmp_path)
    with pytest.raises(LabError, match="two checkpoints"):
        chosen("20", saves)
    assert chosen("kept-000000020", saves).name == "kept-000000020"
    assert chosen("50", saves).name == "step-000000050"
    rows = exportable(50, {20: 0.5, 50: 0.25}, (20, 0.5), saves)
    assert [(row.at, row.step) for row in rows] == [
        ("last", 50), ("best", 20), ("step-000000050", 50), ("kept-000000020", 20),
        ("step-000000020", 20),
    ]  # fmt: skip
    assert [row.loss == row.loss for row in rows] == [True, True, True, False, False]
    assert [row.before_edit for row in rows] == [False, False, False, True, False]


@pytest.mark.parametrize("what", ["lora_A", "shape", "scaling"])
def test_a_damaged_checkpoint_is_refused_and_nothing_is_written(tmp_path, what):
    from lora_lab.formats import peft
    from lora_lab.runs.checkpoints import latest
    from lora_lab.runs.folder import RunFolder
    from lora_lab.training.saving.saved_adapter import from_checkpoint

    trained(tmp_path / "run")
    checkpoint, like = (
        latest(tmp_path / "run"),
        RunFolder.at(tmp_path / "run").load_adapter(peft.load),
    )
    if what == "lora_A":
        del checkpoint.tensors["fc2|lora_A"]
    elif what == "shape":
        checkpoint.tensors["fc2|lora_B"] = torch.zeros(5, 3)
    else:
        checkpoint.facts["layers"]["fc2"]["scaling"] = "much"
    with pytest.raises(LabError, match="does not hold the layers"):
        from_checkpoint(checkpoint, like)


def test_a_run_that_is_open_is_merged_into_its_base_and_cast(tmp_path):
    """transformers opens the merged folder, and answers as PEFT does beside the base."""
    from transformers import AutoModelForCausalLM

    tiny.save(tmp_path / "base", "llama")
    rows = [{"prompt": "the film is", "completion": " good"} for _ in range(12)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    base = str(tmp_path / "base")
    config = starting_config(
        "causal_lm", model=base, data=str(tmp_path / "rows.jsonl"), batch_size=4, max_steps=8,
        validation=0.3, targets=["q_proj", "down_proj"],
        hyper={"rank": 4, "alpha": 6, "learning_rate": 5e-2},
    )  # fmt: skip
    asked = {
        "merged": Export(str(tmp_path / "merged"), "merged", base=base),
        "adapter": Export(str(tmp_path / "adapter")),
        "half": Export(str(tmp_path / "half"), dtype="float16"),
    }
    controls, records = Controls(config.hyper), []
    for record in run(
        opening(config, folder=tmp_path / "run"), controls, serve_after_training=True
    ):
        records.append(record)
        if isinstance(record, StateRecord) and record.state.value == "finished":
            for export in asked.values():
                controls.request(export)
            controls.stop()
    assert not [r for r in records if isinstance(r, ErrorRecord)]
    reports = {r.report.path: r.report for r in records if isinstance(r, ExportedRecord)}
    assert reports[str(tmp_path / "merged")].format == "merged"
    assert reports[str(tmp_path / "merged")].largest_error < 1e-4
    assert any("is lost in a layer" in note for note in reports[str(tmp_path / "half")].notes)
    half = load_file(tmp_path / "half/adapter_model.safetensors")
    assert {t.dtype for t in half.values()} == {torch.float16}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft's own imports
        from peft import PeftModel

        ids = torch.arange(2, 30)[None]
        plain = AutoModelForCausalLM.from_pretrained(base).eval()
        with torch.no_grad():
            untrained = plain(ids).logits
            beside = PeftModel.from_pretrained(plain, str(tmp_path / "adapter")).eval()(ids).logits
            merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()(ids).logits
    assert (untrained - beside).abs().max() > 0.1
    assert (merged - beside).abs().max() <= 2e-5 * beside.abs().max()


@pytest.mark.parametrize(
    ("edit", "moves"),
    [({"learning_rate": 1e-5}, False), ({"rank": 2}, True), ({"alpha": 3.0}, True)],
)
def test_the_last_adapter_claims_no_loss_from_before_an_edit(edit, moves):
    run = DrivenRun(digits(eval_steps=5))
    while (record := run.next(EvalRecord)).step < 5:
        continue
    assert record.best
    assert adapter_at(run.experiment, None, LAST)[1].loss == record.loss
    run.edit(**edit)
    what = adapter_at(run.experiment, None, LAST)[1]
    assert what.step == 5
    assert math.isnan(what.loss) == moves
    if not moves:
        assert what.loss == record.loss


def test_a_checkpoint_of_vera_is_written_as_peft_has_it(tmp_path):
    live, later = tmp_path / "live", tmp_path / "later"
    records = trained(tmp_path / "run", "vera", "kaiming", [Export(str(live), "peft-vera")])
    losses, _ = measured(records)
    done = verb("export", tmp_path / "run", "--at", EDITED, "--out", later, "--format", "peft-vera")
    assert done.exit_code == 0, done.output
    assert by_peft(live) == pytest.approx(losses[END], rel=2e-5)
    assert by_peft(later) == pytest.approx(losses[EDITED], rel=2e-5)
    assert json.loads((later / "adapter_config.json").read_text())["peft_type"] == "VERA"

"""What is a file and a line works once it is listed: runs, exports, scripts, grids, verbs."""

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lora_lab
from lora_lab import adapters, inits, task_info, tasks, variants
from lora_lab.adapters.lora import LoRALayer
from lora_lab.cli import app
from lora_lab.config import changed
from lora_lab.errors import ExportError, LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.models.inspect import describe
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import get_preset, starting_config
from lora_lab.records import StepRecord
from lora_lab.rules import LayerRanks, scaling_of
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.grid import expand
from lora_lab.runs.recipe import written
from lora_lab.runs.report import report_of
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.grown import FORMAT, INIT, PRESET, TASK, VARIANTS, Pulse, PulseRecord, texts

PACKAGE = Path(lora_lab.__file__).parent
NAMES = {*variants.VARIANTS, *inits.INITS, *task_info.TASKS}
# Where such a name is an adapter's own, a file format's word, or not a name of these rows at all.
OWN = {"adapters", "formats", "ui/panels/ruler.py", "models/hf_folder.py"}


def asked_by_name(tree):
    """The registry names that a comparison holds: == "dora", in ("pissa", "olora")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for part in (node.left, *node.comparators):
                parts = part.elts if isinstance(part, ast.Tuple | ast.Set | ast.List) else [part]
                yield from (
                    (node.lineno, p.value)
                    for p in parts
                    if isinstance(p, ast.Constant) and p.value in NAMES
                )


def test_nothing_asks_for_a_row_by_its_name():
    found = [
        (str(place), *use)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not OWN & {str(place := path.relative_to(PACKAGE)), place.parts[0]}
        for use in asked_by_name(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


def test_a_row_and_what_it_names_agree():
    for name, row in variants.VARIANTS.items():
        kind = adapters.VARIANTS[name]
        assert issubclass(kind, LoRALayer) == row.factored
        if row.factored:
            assert kind.scaling_for(3.0, 7) == row.scaling(3.0, 7)
            assert row.alpha(row.scaling(3.0, 7), 7) == pytest.approx(3.0 if row.scaled else 7.0)
        assert kind.locked == row.locked
    for shown in ("mark", "sample", "title"):
        assert len({getattr(row, shown) for row in variants.VARIANTS.values()}) == len(
            adapters.VARIANTS
        )
    assert adapters.INITS.keys() == inits.INITS.keys()
    for name, row in inits.INITS.items():
        assert (adapters.INITS[name].principal is not None) == row.one_rank
    for name, row in task_info.TASKS.items():
        assert tasks.TASKS[name].name == name
        assert set(row.roles) >= {role for form in row.forms.values() for r in form for role in r}


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def trained(config, folder, *commands):
    """All records of a run in a folder."""
    controls = Controls(config.hyper)
    for command in commands:
        controls.request(command)
    return list(run(New(config, folder), controls))


def of(records, kind):
    return [record for record in records if type(record) is kind]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_and_an_init_run_resume_and_are_reported(grown, variant):
    config = changed(get_preset(PRESET).config, variant=variant)
    folder = grown / "run"
    records = trained(config, folder, Pulse())
    (loaded,) = of(records, LoadedRecord)
    assert of(records, PulseRecord)[-1].layers == len(loaded.layers)
    losses = [record.loss for record in of(records, StepRecord)]
    assert min(losses[-5:]) < losses[0]
    controls = Controls(config.hyper)
    more = list(run(Resume.at(folder, 34), controls))
    assert of(more, StepRecord)[-1].step == 34
    assert variant in report_of(folder)
    with pytest.raises(LabError, match=f"PEFT has no variant {variant}"):
        written(folder)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_foretold_of_a_variant_is_what_the_engine_has(grown, variant):
    config = changed(get_preset(PRESET).config, variant=variant)
    experiment = Experiment.build(config)
    ranks = LayerRanks(experiment.loaded())
    counted = dict(experiment.counts().per_layer)
    assert {name: ranks.trained(name, config.hyper) for name in ranks.layers} == counted
    for layer in experiment.lora_layers:
        assert layer.scaling == scaling_of(config.hyper, variant)


def test_an_adapter_of_a_new_variant_is_exported_in_a_new_format_or_refused(grown):
    config = get_preset(PRESET).config
    for variant in VARIANTS:
        experiment = Experiment.build(changed(config, variant=variant))
        if not experiment.has_factors:
            with pytest.raises(ExportError, match="Gain has no low-rank factors"):
                experiment.weights()
            continue
        for layer in experiment.lora_layers:
            layer.lora_B.data.normal_()
        report = export(experiment.weights(), grown / variant, FORMAT)
        assert report.largest_error < 1e-6
        again = open_adapter(grown / variant)
        assert again.variant == variant
        assert [x.scaling for x in again.layers] == pytest.approx(
            [layer.scaling for layer in experiment.lora_layers]
        )


def test_a_grid_varies_them(grown):
    base = get_preset("digits").config
    loaded = Experiment.build(base).loaded()
    found = expand(
        base, {"variant": VARIANTS, "init": ("kaiming", INIT), "rank": (2, 4)}, loaded.adaptable
    )
    assert len(found.runs) == 4 + 1
    assert any("gain has no rank, α or init" in reason for reason in found.reasons)


def test_a_start_without_a_part_of_a_script_says_so(grown):
    config = changed(get_preset(PRESET).config, variant="lora")
    trained(config, grown / "run")
    with pytest.raises(LabError, match=f"law_{INIT}"):
        written(grown / "run")


def test_a_task_is_found_trained_scripted_and_exported(grown):
    model, data = texts(grown)
    assert TASK in describe(model).tasks
    config = starting_config(TASK, model=model, data=data, max_steps=4, batch_size=4)
    records = trained(config, grown / "run")
    assert len(of(records, StepRecord)) == 4
    assert "AutoModelForSequenceClassification" in written(grown / "run").text
    assert TASK in report_of(grown / "run")
    adapter = json.loads((grown / "run" / "adapter" / "adapter_config.json").read_text())
    assert adapter["task_type"] == "SEQ_CLS"


def test_the_command_line_knows_them(grown):
    model, data = texts(grown)
    out = grown / "by-verb"
    done = verb(
        "train", "--preset", PRESET, "--variant", "gain", "--steps", 3, "--out", out, "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"] == 3
    assert "no factors" in done.stderr
    assert RunFolder.at(out).load_config().variant == "gain"
    assert verb("resume", out, "--steps", 5).exit_code == 0
    assert verb("report", out, "--out", grown / "page.html").exit_code == 0
    refused = verb("recipe", out)
    assert refused.exit_code != 0
    assert "PEFT has no variant gain" in refused.stderr.replace("\n", " ")
    done = verb("train", "--task", TASK, "--model", model, "--data", data, "--steps", 2,
                "--variant", "quarter", "--init", INIT, "--out", grown / "tone")  # fmt: skip
    assert done.exit_code == 0, done.output
    target = grown / "exported"
    done = verb("export", grown / "tone", "--out", target, "--format", FORMAT)
    assert done.exit_code == 0, done.output
    assert open_adapter(target).variant == "quarter"
    done = verb(
        "sweep", "--preset", PRESET, "--variant", "quarter,gain", "--init", INIT, "--steps", 2
    )
    assert done.exit_code == 0, done.output
    assert "quarter" in done.output
    assert "no variant" in verb("sweep", "--preset", PRESET, "--variant", "loha").output

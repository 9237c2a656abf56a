"""The verbs as a newcomer runs them: JSON on stdout, one clear line for what can be mended."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lora_lab.cli import app
from lora_lab.config import changed
from lora_lab.presets import starting_config
from lora_lab.runs.folder import RunFolder
from tests.models.tiny import save


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished known-rank run and what its verb printed."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    done = verb("train", "--preset", "known-rank", "--rank", 4, "--alpha", 8, "--steps", 500,
                "--seed", 0, "--device", "cpu", "--out", folder, "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder, done


def test_train_prints_one_json_object(run):
    folder, done = run
    facts = json.loads(done.stdout)
    assert facts["steps"] == 500
    assert 0 <= facts["best_loss"] <= facts["final_loss"]
    assert facts["parameters"] == {"adapter": 320, "frozen": 1536, "total": 1856}
    (sigma,) = facts["singular_values"].values()
    assert sigma == sorted(sigma, reverse=True)
    assert sigma == pytest.approx([4, 2, 1, 0.5], rel=0.01)
    assert facts["run"] == str(folder)
    assert facts["seconds"] > 0
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.json", "metrics.jsonl", "state.json", "lock", "checkpoints", "adapter",
        "adapter-best", "log.txt",
    }  # fmt: skip


def test_every_step_is_in_the_metrics(run):
    folder, _ = run
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["record"] == "StepRecord"]
    assert steps == list(range(1, 501))
    assert {line["record"] for line in lines} >= {"LoadedRecord", "SpectrumRecord", "SavedRecord"}


def test_the_same_seed_gives_the_same_run(run, tmp_path):
    _, first = run
    again = verb("train", "--preset", "known-rank", "--rank", 4, "--alpha", 8, "--steps", 500,
                 "--out", tmp_path / "again", "--json")  # fmt: skip
    first, again = json.loads(first.stdout), json.loads(again.stdout)
    assert first["final_loss"] == again["final_loss"]
    assert first["singular_values"] == again["singular_values"]


def test_a_recipe_is_printed_or_written(run, tmp_path):
    folder, _ = run
    printed = verb("recipe", folder)
    assert printed.exit_code == 0, printed.output
    assert "LoraConfig(" in printed.stdout
    assert "agree up to rounding" in printed.stderr
    compile(printed.stdout, "recipe.py", "exec")
    target = tmp_path / "again.py"
    assert verb("recipe", folder, "--out", target).exit_code == 0
    assert target.read_text("utf-8") == printed.stdout
    again = verb("recipe", folder, "--out", target)
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert verb("recipe", folder, "--out", target, "--overwrite").exit_code == 0
    nowhere = verb("recipe", tmp_path / "none")
    assert nowhere.exit_code == 1
    assert "not a run folder" in nowhere.stderr


def test_a_report_is_written(run, tmp_path, monkeypatch):
    folder, trained = run
    monkeypatch.chdir(tmp_path)
    done = verb("report", folder)
    assert done.exit_code == 0, done.output
    page = (tmp_path / f"{folder.name}-report.html").read_text("utf-8")
    assert "finished at step 500" in page
    assert f"{json.loads(trained.stdout)['final_loss']:.4g}" in page
    assert verb("report", folder).exit_code == 1
    assert verb("report", folder, "--out", tmp_path / "other.html").exit_code == 0


def test_export_and_inspect(run, tmp_path):
    folder, trained = run
    target = tmp_path / "adapter"
    done = verb("export", folder, "--format", "peft", "--out", target, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["largest_error"] <= 1e-6
    assert report["keys"] == 2
    again = verb("export", folder, "--out", target)
    assert again.exit_code == 1
    assert "stands" in again.output or "exists" in again.output or "already" in again.output
    assert verb("export", folder, "--out", target, "--overwrite").exit_code == 0
    kept = [json.loads(x) for x in (folder / "exports.jsonl").read_text().splitlines()]
    assert [x["path"] for x in kept] == [str(target)] * 2
    assert kept[0]["sha256"] == report["sha256"]
    for path in (folder, target):
        (layer,) = json.loads(verb("inspect", path, "--json").stdout)["layers"]
        assert (layer["shape"], layer["rank"], layer["alpha"], layer["scaling"]) == (
            [48, 32],
            4,
            8,
            2,
        )
        trained_sigma = json.loads(trained.stdout)["singular_values"]["layer"]
        assert layer["singular_values"] == pytest.approx(trained_sigma, rel=1e-6)
        assert layer["numerical_rank"] == 4
    table = verb("inspect", target).stdout
    assert "layer" in table


def test_devices_are_listed_with_the_reason_of_absence():
    rows = json.loads(verb("devices", "--json").stdout)
    assert rows[0]["name"] == "cpu"
    assert rows[0]["available"]
    assert all(row["available"] or row["reason"] for row in rows)
    assert "cpu" in verb("devices").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "--preset"),
        (["train", "--preset", "digit"], "Did you mean digits"),
        (["train", "--preset", "digits", "--rank", "0"], "rank"),
        (["train", "--preset", "digits", "--rank", "-2"], "rank"),
        (["train", "--preset", "digits", "--alpha", "0"], "alpha"),
        (["train", "--preset", "digits", "--alpha", "-1"], "alpha"),
        (["train", "--preset", "digits", "--alpha", "nan"], "alpha"),
        (["train", "--preset", "digits", "--lr", "inf"], "learning_rate"),
        (["train", "--preset", "digits", "--device", "cuda:9"], "cuda:9"),
        (["train", "--preset", "digits", "--device", "abacus"], "abacus"),
        (["train", "--preset", "digits", "--model", "/nowhere/x.safetensors"], "x.safetensors"),
        (["train", "--preset", "digits", "--init", "zeros"], "zeros"),
        (["train", "--preset", "digits", "--variant", "lorra"], "dora"),
        (["train", "--preset", "digits", "--batch-size", "8", "--batch-tokens", "64"], "not both"),
        (["train", "--preset", "known-rank", "--rank", "33"], "32 or less"),
        (["train", "--preset", "digits", "--optimizer", "adam"], "sgd"),
        (["train", "--preset", "digits", "--b-rate-ratio", "0"], "b_rate_ratio"),
        (["train", "--preset", "digits", "--momentum", "1"], "momentum"),
        (["train", "--preset", "digits", "--schedule", "step"], "cosine"),
        (["train", "--preset", "digits", "--targets", "fc1,fc9"], "fc9"),
        (["train", "--preset", "digits", "--layer-rank", "fc9=2"], "fc9"),
        (["train", "--preset", "digits", "--layer-rank", "fc3=11"], "10 at most"),
        (["train", "--preset", "digits", "--layer-rank", "fc3=0"], "fc3"),
        (["train", "--preset", "digits", "--freeze", "fc9"], "fc9"),
        (["train", "--preset", "known-rank", "--freeze", "layer"], "nothing would train"),
        (["train", "--preset", "mnist-tutorial"], "--data"),
        (["train", "--preset", "mnist-tutorial", "--data", "/nowhere"], "/nowhere"),
        (["train", "--preset", "digits", "--out", __file__], "is a file"),
        (["inspect", "/nowhere"], "/nowhere"),
        (["inspect", __file__], "neither safetensors nor"),
        (["export", "/nowhere", "--out", "/nowhere/adapter"], "/nowhere"),
    ],
)
def test_what_can_be_mended_is_one_line_and_exit_1(arguments, words, tmp_path):
    own = arguments[0] == "train" and "--out" not in arguments
    extra = ["--out", tmp_path / "run"] if own else []
    done = verb(*arguments, *extra)
    assert done.exit_code == 1
    assert words in done.output
    assert "Traceback" not in done.output
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_an_out_folder_in_use_is_refused_before_anything_is_trained(run):
    folder, _ = run
    done = verb("train", "--preset", "known-rank", "--steps", 5, "--out", folder)
    assert done.exit_code == 1
    assert "not empty" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"], ["train", "--foo"], ["train", "--rank", "many"], ["export"],
        ["train", "--layer-rank", "fc1"], ["train", "--layer-rank", "fc1=many"],
        ["train", "--layer-rank", "fc1=٣"],
    ],
)  # fmt: skip
def test_usage_errors_exit_2(arguments):
    assert verb(*arguments).exit_code == 2


def test_a_rank_that_is_capped_is_said(tmp_path):
    done = verb("train", "--preset", "digits", "--rank", 40, "--steps", 5, "--json",
                "--out", tmp_path / "run[/x]")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "limited" in done.stderr
    assert "fc3 at 10" in done.stderr
    assert json.loads(done.stdout)["run"] == str(tmp_path / "run[/x]")


def test_a_run_that_cannot_be_kept_fails_before_it_trains(tmp_path):
    (tmp_path / "file").write_text("")
    done = verb("train", "--preset", "known-rank", "--out", tmp_path / "file" / "run")
    assert done.exit_code == 1
    assert "cannot be made" in done.output
    assert done.stdout == ""


def test_full_training_is_counted_once(tmp_path):
    arguments = ["train", "--preset", "known-rank", "--variant", "full", "--steps", 50]
    done = verb(*arguments, "--json", "--out", tmp_path / "run")
    facts = json.loads(done.stdout)
    assert facts["parameters"] == {"adapter": 1536, "frozen": 0, "total": 1536}
    assert "not saved" in done.stderr
    done = verb(*arguments, "--out", tmp_path / "again")
    assert done.exit_code == 0, done.output
    assert "1,536 beside 0" in done.stdout


def test_a_subspace_says_where_its_numbers_are(tmp_path):
    done = verb("train", "--preset", "digits", "--variant", "subspace", "--steps", 2,
                "--out", tmp_path / "run", "--json")  # fmt: skip
    words = " ".join(done.stderr.split())
    assert "theta.safetensors" in words
    assert "not saved" not in words


@pytest.mark.parametrize("variant", ["lora", "full"])
def test_a_best_adapter_is_named_where_it_stands(tmp_path, monkeypatch, variant):
    from lora_lab.tasks.base import Evaluation
    from lora_lab.training.experiment import Experiment

    def held_out(self, *_):
        return Evaluation(3.0 if self.step == 5 else 9.0, 0.5)

    monkeypatch.setattr(Experiment, "held_out", held_out)
    out = tmp_path / "run"
    done = verb("train", "--preset", "known-rank", "--variant", variant, "--steps", "20",
                "--eval-steps", "5", "--out", out)  # fmt: skip
    assert "best validation loss 3 at step 5" in done.stdout
    assert ("kept as adapter-best" in done.stdout) == (out / "adapter-best").exists()
    assert (out / "adapter-best").exists() == (variant == "lora")


def test_every_setting_of_the_command_line_reaches_the_run(tmp_path):
    done = verb("train", "--preset", "digits", "--steps", 20, "--variant", "rslora",
                "--init", "eva", "--optimizer", "sgd", "--momentum", 0.5, "--b-rate-ratio", 2,
                "--schedule", "linear", "--warmup-steps", 3, "--lr", 0.01,
                "--targets", "fc1, fc2", "--targets", "fc3",
                "--layer-rank", "fc1=2", "--layer-rank", "fc2=6", "--freeze", "fc3",
                "--json", "--out", tmp_path / "run")  # fmt: skip
    assert done.exit_code == 0, done.output
    sigma = json.loads(done.stdout)["singular_values"]
    assert {name: len(values) for name, values in sigma.items()} == {"fc1": 2, "fc2": 6, "fc3": 4}
    assert sigma["fc1"][0] > 0
    assert sigma["fc3"] == [0, 0, 0, 0], "frozen before the first step"
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    expected = {
        "variant": "rslora", "init": "eva", "optimizer": "sgd", "momentum": 0.5,
        "b_rate_ratio": 2.0, "schedule": "linear", "warmup_steps": 3,
        "targets": ["fc1", "fc2", "fc3"],
    }  # fmt: skip
    assert {name: config[name] for name in expected} == expected
    assert config["hyper"]["layer_ranks"] == [["fc1", 2], ["fc2", 6]]
    assert config["hyper"]["frozen_layers"] == ["fc3"]


def test_help_names_what_there_is_and_does_not_wait_for_torch():
    code = (
        "import sys; from lora_lab.cli import app; sys.argv = ['lora-lab', *sys.argv[1:]]\n"
        "try: app()\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    for arguments, words in (
        ([], ["train", "inspect"]),
        (["train"], ["dora", "pissa", "sgd", "cosine", "NAME=R"]),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--help"], capture_output=True, text=True
        )
        assert done.stdout.strip().endswith("False")
        assert all(word in done.stdout for word in words)


def test_exporting_into_the_empty_current_folder_fills_it(run, tmp_path, monkeypatch):
    folder, _ = run
    monkeypatch.chdir(tmp_path)
    assert verb("export", folder, "--out", ".").exit_code == 0
    assert {path.name for path in Path().iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_an_untrained_run_exports_nothing(tmp_path):
    """A rate so small that B stays zero in float32."""
    folder = tmp_path / "run"
    done = verb("train", "--preset", "digits", "--steps", 1, "--lr", "1e-60", "--out", folder)
    assert done.exit_code == 0
    refused = verb("export", folder, "--out", tmp_path / "adapter")
    assert refused.exit_code == 1
    assert "untrained" in refused.output or "ΔW" in refused.output
    assert not (tmp_path / "adapter").exists()


def test_without_a_display_one_line_names_the_headless_verbs():
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = subprocess.run(
        [sys.executable, "-m", "lora_lab"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "No display" in done.stderr
    assert "lora-lab train" in done.stderr


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A tiny language model and rows for it."""
    from tests.models.tiny import save

    folder = tmp_path_factory.mktemp("model")
    save(folder, "llama")
    data = folder.parent / "rows.jsonl"
    rows = [
        {"prompt": "the film is", "completion": " good" if i % 2 else " bad"} for i in range(30)
    ]
    data.write_text("\n".join(map(json.dumps, rows)))
    return folder, data


def test_a_model_of_ones_own_is_trained_and_exported(llama, tmp_path):
    folder, data = llama
    done = verb("train", "--task", "causal-lm", "--model", folder, "--data", data, "--rank", 2,
                "--targets", "q_proj,v_proj", "--steps", 5, "--batch-size", 4, "--max-length", 16,
                "--column", "prompt=prompt", "--validation", 0.2, "--out", tmp_path / "run",
                "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["steps"] == 5
    assert len(facts["singular_values"]) == 4
    assert facts["adapter_on"]["loss"] < facts["adapter_off"]["loss"]
    done = verb("export", tmp_path / "run", "--out", tmp_path / "adapter")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()


def test_a_model_is_inspected(llama):
    folder, _ = llama
    done = verb("inspect", folder)
    assert done.exit_code == 0, done.output
    assert "--task causal-lm" in done.stdout
    assert "model.layers.1.mlp.up_proj.weight" in done.stdout
    name = "model.layers.0.mlp.up_proj.weight"
    done = verb("inspect", folder / "model.safetensors", "--sigma", name, "--json")
    facts = json.loads(done.stdout)
    assert facts["parameters"] == sum(_product(t["shape"]) for t in facts["tensors"])
    assert len(facts["singular_values"][name]) == 32


def _product(shape):
    found = 1
    for size in shape:
        found *= size
    return found


OWN = {
    "no model": (["--task", "causal-lm", "--data", "rows.jsonl"], "Choose a model"),
    "no data": (["--task", "causal-lm", "--model", "m"], "Choose data"),
    "both": (["--task", "causal-lm", "--preset", "digits"], "not both"),
    "no such task": (["--task", "poetry"], "no task 'poetry'"),
    "nothing": ([], "Say what to train"),
    "no such folder": (
        ["--task", "causal-lm", "--model", "nowhere", "--data", "x"], "no such folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_what_is_missing_is_said_in_a_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, reason = OWN[name]
    done = verb("train", *arguments)
    assert done.exit_code == 1
    assert reason in done.stderr
    assert "\n" not in done.stderr.strip()


def test_a_run_is_listed_and_goes_on(tmp_path):
    out = tmp_path / "runs" / "one"
    done = verb("train", "--preset", "known-rank", "--steps", 40, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(verb("runs", tmp_path / "runs", "--json").stdout)
    assert (row["name"], row["state"], row["step"], row["max_steps"]) == ("one", "finished", 40, 40)
    ended = verb("resume", out)
    assert ended.exit_code == 1
    assert "has finished at step 40" in ended.output
    facts = json.loads(verb("resume", out, "--steps", 100, "--json").stdout)
    assert facts["steps"] == 100
    straight = tmp_path / "straight"
    verb("train", "--preset", "known-rank", "--steps", 40, "--out", straight)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert any('"ResumedRecord"' in line for line in lines)
    table = verb("runs", tmp_path / "runs").stdout
    assert "100 / 100" in table
    short = verb("train", "--preset", "digits", "--steps", 5, "--out", tmp_path / "runs" / "two")
    assert short.exit_code == 0
    assert "There are no runs" in verb("runs", tmp_path / "none").stdout
    assert "is not a run" in verb("resume", tmp_path / "none").output


def test_a_run_without_a_checkpoint_is_begun_again_with_its_settings(tmp_path, home):
    out = tmp_path / "one"
    verb("train", "--preset", "known-rank", "--steps", 12, "--rank", 3, "--out", out)
    shutil.rmtree(out / "checkpoints")
    refused = verb("resume", out)
    assert refused.exit_code == 1
    assert "lora-lab resume one --restart" in " ".join(refused.output.split())
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    facts = json.loads(verb("resume", out, "--restart", "--json").stdout)
    assert facts["steps"] == 12
    assert Path(facts["run"]).parent == home / "runs"
    assert RunFolder.at(Path(facts["run"])).load_config() == RunFolder.at(out).load_config()
    assert {path: path.read_bytes() for path in before} == before


def test_a_runs_own_code_is_not_run_unasked(tmp_path, monkeypatch):
    """It may have come in a zip from somebody else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code_of_a_cli_test.py").write_text("open('ran', 'w')\ndef make(): pass\n")
    folder = RunFolder.create(tmp_path, "run")
    model, factory = str(tmp_path / "net.pt"), "code_of_a_cli_test:make"
    torch.save({"weight": torch.zeros(2, 2)}, model)
    images = {"model": model, "data": str(tmp_path), "factory": factory}
    folder.write_config(changed(starting_config("image_classification"), **images))
    asked = verb("resume", "run")
    assert asked.exit_code == 1
    assert "runs with all your rights" in asked.output.replace("\n", " ")
    assert not (tmp_path / "ran").exists()


def test_what_became_of_the_data_is_on_stderr_in_the_facts_and_in_the_log(tmp_path):
    save(tmp_path / "m", "llama")
    rows = [{"prompt": f"is {i} good?", "completion": " yes", "id": i} for i in range(12)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = CliRunner().invoke(
        app,
        ["train", "--task", "causal-lm", "--model", str(tmp_path / "m"), "--data",
         str(tmp_path / "rows.jsonl"), "--steps", "2", "--validation", "0.25", "--out",
         str(tmp_path / "run"), "--device", "cpu", "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    lines = " ".join(done.stderr.split())
    assert "data: 9 training and 3 validation rows" in lines
    assert "column not used: id" in lines
    data = json.loads(done.stdout)["data"]
    assert (data["train_rows"], data["validation_rows"]) == (9, 3)
    assert data["notes"] == ["column not used: id"]
    assert "column not used: id" in (tmp_path / "run" / "log.txt").read_text("utf-8")


def test_training_continues_from_an_adapter(tmp_path):
    """What the flags say otherwise is applied and said, or refused; nothing else is moved."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    known = ("train", "--preset", "known-rank", "--json", "--device", "cpu", "--lr", 0.01)
    done = verb(*known, "--rank", 3, "--alpha", 6, "--steps", 200, "--out", first)
    before = json.loads(done.stdout)
    again = (*known, "--adapter", first / "adapter", "--steps", 1)
    done = verb(*again, "--out", second)
    assert done.exit_code == 0, done.output
    assert "the optimizer starts afresh" in " ".join(done.stderr.split())
    assert "before the first step" not in done.stderr
    after = json.loads(done.stdout)
    assert after["parameters"] == before["parameters"]
    saved = RunFolder.at(second).load_config()
    assert (saved.hyper.rank, saved.hyper.alpha, saved.adapter) == (3, 6, str(first / "adapter"))
    (row,) = before["singular_values"].values()
    (now,) = after["singular_values"].values()
    assert now == pytest.approx(row, rel=0.1)

    done = verb(*again, "--rank", 2, "--out", third)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "before the first step: rank 3 → 2" in said
    assert "of ΔW's energy discarded" in said
    done = verb(*again, "--variant", "dora", "--out", tmp_path / "fourth")
    assert done.exit_code == 1
    assert "cannot be continued as DoRA" in " ".join(done.stderr.split())
    assert not (tmp_path / "fourth").exists()
    shutil.rmtree(first / "adapter")
    done = verb("resume", second, "--steps", 3, "--json")  # its checkpoint has the factors
    assert done.exit_code == 0, done.output
    done = verb("report", second, "--out", tmp_path / "page.html")
    assert "<dt>continues</dt><dd>adapter</dd>" in (tmp_path / "page.html").read_text("utf-8")


STUCK = """
import sys
from lora_lab.cli import headless

def stuck(*arguments, **settings):
    print("entered", flush=True)
    while True:
        try:
            while True:
                pass
        except Exception:
            break
    yield

headless.run = stuck
sys.argv = ["lora-lab", "train", "--preset", "digits"]
from lora_lab.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to send")
def test_one_signal_ends_an_opening_that_reports_nothing():
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.stdout.readline().strip() != "entered":
            pass
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "interrupted while the model was opened" in errors
    assert "Traceback" not in errors

"""Settings: limits in one place, every wrong field named, frozen and JSON both ways."""

import json
import time

import pytest
from pydantic import ValidationError

from lora_lab.config import RunConfig, changed, checked
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import KNOBS, Hyperparameters


def test_every_knob_is_a_field_with_limits_inside_the_fields_own():
    for name, knob in KNOBS.items():
        assert name in Hyperparameters.model_fields
        for value in (knob.minimum, knob.maximum):
            changed(Hyperparameters(), **{name: value})
        assert knob.help
        assert Hyperparameters.model_fields[name].title == knob.label


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 0), ("rank", -1), ("rank", 2.5), ("rank", "many"), ("rank", None),
        ("alpha", 0), ("alpha", -1), ("alpha", float("nan")), ("alpha", float("inf")),
        ("learning_rate", 0), ("learning_rate", float("nan")), ("weight_decay", -0.1),
        ("dropout", 1.0), ("dropout", -0.1), ("alpha_mode", "both"),
        ("layer_ranks", (("fc1", 0),)), ("layer_ranks", (("fc1", 2), ("fc1", 3))),
        ("layer_ranks", (("fc1", 2.5),)), ("layer_ranks", ("fc1",)), ("frozen_layers", (1,)),
    ],
)  # fmt: skip
def test_wrong_values_are_named(field, value):
    with pytest.raises(ConfigError, match=field):
        changed(Hyperparameters(), **{field: value})


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        checked(
            RunConfig, {"task": "digits", "seed": -1, "max_steps": 0, "colour": "red"}, "x.json"
        )
    message = str(caught.value)
    assert message.startswith("x.json: ")
    assert all(word in message for word in ("seed", "max_steps", "colour"))


def test_json_there_and_back():
    hyper = Hyperparameters(
        rank=3, alpha=1.5, layer_ranks=(("fc2", 2), ("fc1", 5)), frozen_layers=("b", "a", "b")
    )
    config = RunConfig(task="digits", digits=(9,), optimizer="sgd", momentum=0.5, hyper=hyper)
    assert checked(RunConfig, json.loads(config.model_dump_json())) == config
    assert config.hyper.layer_ranks == (("fc1", 5), ("fc2", 2)), "in one order, so that it compares"
    assert config.hyper.frozen_layers == ("a", "b")
    assert changed(config.hyper, rank=4).layer_ranks == config.hyper.layer_ranks


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("optimizer", "adam"), ("momentum", 1.0), ("momentum", -0.1), ("b_rate_ratio", 0.0),
        ("b_rate_ratio", float("inf")), ("variant", "lorra"), ("init", "zeros"), ("task", "chess"),
    ],
)  # fmt: skip
def test_wrong_fixed_settings_are_named(field, value):
    with pytest.raises(ConfigError, match=field):
        checked(RunConfig, {"task": "digits", field: value})


def test_frozen():
    with pytest.raises(ValidationError):
        Hyperparameters().rank = 3


@pytest.mark.parametrize(
    "name",
    ["../x", "x/../../escape", "/etc", "a/b", "a\\b", "c:x", "..", ".hidden", "a.", "a ", " a",
     "a\nb", "a\x1b[2J", "a\u202eb", "a\x00", "-rf", "~", "x" * 101],
)  # fmt: skip
def test_a_preset_is_a_name_and_no_path(name):
    """A run's folder is called after it, and the config may be somebody else's."""
    with pytest.raises(ConfigError, match="preset"):
        checked(RunConfig, {"task": "digits", "preset": name})


@pytest.mark.parametrize("name", ["", "digits", "known-rank", "meine Ziffern 2", "数字", "a.b+c_d"])
def test_names_of_presets(name):
    assert checked(RunConfig, {"task": "digits", "preset": name}).preset == name


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "m\udcff"), ("data", "d\udcff.csv"), ("columns", (("text", "a\ud83d"),)),
     ("source_prefix", "\ud83d"), ("adapter", "a\0b"), ("prompts", ("a", "\ud83d"))],
)  # fmt: skip
def test_what_is_no_text_could_not_be_kept(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be text in UTF-8"):
        changed(RunConfig(task="digits"), **{field: value})


def test_of_many_wrong_settings_some_are_named_and_the_others_counted():
    with pytest.raises(ConfigError) as raised:
        checked(RunConfig, {"task": "digits", **{f"k{n}": 0 for n in range(1000)}}, "a.json")
    assert str(raised.value).startswith("a.json: k0 is not a setting of this version; k1 is not")
    assert str(raised.value).endswith("; and 990 more")
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "values",
    [
        {"k" * 900_000: 0},
        {"\x1b[31m\u202e": 0},
        {"columns": [["r" * 900_000, "a"], ["r" * 900_000, "b"]]},
        {"task": "t" * 900_000},
        {"hidden": {"h" * 900_000: {}}},
    ],
)
def test_a_wrong_setting_is_named_in_few_words(values):
    with pytest.raises(ConfigError) as raised:
        checked(RunConfig, {"task": "digits", **values})
    assert len(str(raised.value)) < 1000
    assert str(raised.value).isprintable()


def test_columns_are_as_many_as_there_may_be_roles():
    began = time.process_time()
    with pytest.raises(ConfigError, match="columns"):
        checked(RunConfig, {"task": "digits", "columns": [[str(n), ""] for n in range(60_000)]})
    assert time.process_time() - began < 1
    columns = [(f"role {n}", "a") for n in range(40)]
    assert checked(RunConfig, {"task": "digits", "columns": columns}).columns == tuple(columns)

"""The list of layers to adapt: search, ticks, and what they are called in a run's settings."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import TargetInfo
from lora_lab.presets import starting_config
from lora_lab.rules import named_by
from lora_lab.training.experiment import Experiment
from lora_lab.ui.train.targets import adapted, as_targets, target_words, without_lost_layers
from lora_lab.ui.train.targets_dialog import NAME, TargetsDialog
from tests.models.tiny import save
from tests.ui.seen import words

LAYERS = (
    TargetInfo("embed", "embedding", (64, 1000)),
    *(
        TargetInfo(f"layers.{i}.{part}", "linear", (64, 64))
        for i in range(12)
        for part in ("q_proj", "k_proj", "up_proj")
    ),
    TargetInfo("head", "conv1d_linear", (1000, 64)),
)
LINEAR = named_by(LAYERS, ())


@pytest.fixture
def make(qtbot):
    def build(targets=()):
        dialog = TargetsDialog(LAYERS, named_by(LAYERS, targets), LINEAR, targets)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return build


def shown(dialog):
    model = dialog.table.model()
    return [model.index(row, NAME).data() for row in range(model.rowCount())]


@pytest.mark.parametrize(
    ("typed", "count"), [("Q_PROJ", 12), ("layers.1", 9), ("embedding", 1), ("1,000", 2), ("x", 0)]
)
def test_the_search_finds_by_name_kind_and_shape(make, typed, count):
    dialog = make()
    dialog.search.setText(typed)
    assert len(shown(dialog)) == count
    assert dialog.tick_button.isEnabled() == (count > 0)


def test_what_is_found_is_ticked_in_one_go(make):
    dialog = make()
    dialog.none_button.click()
    assert not dialog.ok_button.isEnabled()
    assert dialog.ok_button.toolTip()
    dialog.search.setText("q_proj")
    dialog.tick_button.click()
    dialog.search.clear()
    assert dialog.targets == tuple(f"layers.{i}.q_proj" for i in range(12))
    assert "12 of 38 layers" in words(dialog)
    assert dialog.ok_button.isEnabled()


def test_all_linear_is_a_name_of_its_own(make):
    dialog = make(("head",))
    assert dialog.model.ticked == {"head"}
    dialog.linear_button.click()
    assert dialog.targets == ()
    assert "all linear: 37 of 38 layers" in words(dialog)
    dialog.model.tick(["embed"])
    assert len(dialog.targets) == 38


def test_targets_that_are_left_keep_their_words(make):
    dialog = make(("q_proj",))
    assert len(dialog.model.ticked) == 12
    dialog.model.tick(["embed"])
    dialog.model.tick(["embed"], False)
    assert dialog.targets == ("q_proj",)


def test_space_ticks_all_rows_that_are_selected(make):
    dialog = make()
    dialog.none_button.click()
    dialog.search.setText("layers.3.")
    dialog.table.selectAll()
    QTest.keyClick(dialog.table, Qt.Key.Key_Space)
    assert dialog.model.ticked == set(shown(dialog)) != set()
    QTest.keyClick(dialog.table, Qt.Key.Key_Space)
    assert dialog.model.ticked == set()


def test_a_box_is_ticked_by_its_cell(make):
    dialog = make()
    index = dialog.table.model().index(0, NAME)
    assert index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Unchecked
    dialog.table.model().setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert "embed" in dialog.model.ticked


@pytest.mark.parametrize(
    ("targets", "count", "words"),
    [((), 3, "all linear · 3 layers"), (("all-linear",), 1, "all linear · 1 layer"),
     ((), None, "all linear"), (("fc1",), 1, "fc1"), (("q_proj",), 12, "q_proj · 12 layers"),
     (("a", "b", "c"), 3, "3 layers"), (("a", "b", "c"), None, "3 targets")],
)  # fmt: skip
def test_words(targets, count, words):
    assert target_words(targets, count) == words


def test_names_mean_what_the_engine_takes_them_for():
    from torch import nn

    from lora_lab.adapters.targets import adaptable_layers, find_targets

    block = nn.ModuleDict({"q": nn.Linear(4, 2), "iq": nn.Linear(2, 2)})
    model = nn.ModuleDict({"q": nn.Linear(4, 4), "block": block, "table": nn.Embedding(3, 4)})
    known = [TargetInfo(n, k, s) for n, (k, s) in adaptable_layers(model).items()]
    for targets in ((), ("q",), ("block.q", "table"), ("all-linear", "table"), ("iq",)):
        assert named_by(known, targets) == frozenset(find_targets(model, targets)), targets


@pytest.fixture
def with_head(tmp_path):
    """Settings of a language model, opened on some of its layers."""
    data = tmp_path / "rows.csv"
    data.write_text("text\n" + "the film is good\n" * 8)
    folder = tmp_path / "model"
    save(folder, "llama")
    return starting_config("causal_lm", model=str(folder), data=str(data), targets=("q_proj",))


def test_the_output_head_is_adapted_by_name_only(with_head):
    loaded = Experiment.build(with_head).loaded()
    linear = adapted(loaded, with_head.targets, ())
    assert linear == {
        layer.name for layer in Experiment.build(changed(with_head, targets=())).loaded().layers
    }
    assert "lm_head" not in linear
    every = linear | {"lm_head"}
    targets = as_targets(loaded, with_head.targets, every)
    assert "lm_head" in targets
    opened = Experiment.build(changed(with_head, targets=targets))
    assert opened.layers.keys() == every
    assert opened.layers["lm_head"].adapter_parameters()
    dialog = TargetsDialog(loaded.adaptable, linear, linear, ())
    dialog.model.tick(["lm_head"])
    assert set(dialog.targets) == every


def test_a_new_head_counts_among_the_layers_whatever_is_targeted(tmp_path):
    save(tmp_path / "model", "bert")
    data = tmp_path / "rows.csv"
    data.write_text("text,label\n" + "the film is good,yes\nthe film is bad,no\n" * 8)
    settings = {"model": str(tmp_path / "model"), "data": str(data)}
    config = starting_config("text_classification", targets=("query",), **settings)
    loaded = Experiment.build(config).loaded()
    for targets in ((), ("value",), ("query", "value")):
        opened = Experiment.build(changed(config, targets=targets)).layers.keys()
        assert adapted(loaded, config.targets, targets) == opened


def test_a_restart_leaves_behind_what_its_layers_cannot_have():
    hyper = Hyperparameters(layer_ranks=(("a", 2), ("b", 3)), frozen_layers=("b", "c"))
    config = RunConfig(task="digits")
    kept = without_lost_layers(hyper, config, frozenset("ac"))
    assert (kept.layer_ranks, kept.frozen_layers) == ((("a", 2),), ("c",))
    alone = without_lost_layers(hyper, config, frozenset("c"))
    assert alone.frozen_layers == ()  # nothing would learn
    full = without_lost_layers(
        hyper, config.model_copy(update={"variant": "full"}), frozenset("abc")
    )
    assert (full.layer_ranks, full.frozen_layers) == ((), ("b", "c"))


@pytest.mark.parametrize(("kind", "counts"), [("linear", True), ("embedding", False)])
def test_a_record_that_does_not_say_what_all_linear_means_goes_by_the_kind(kind, counts):
    assert TargetInfo("x", kind, (2, 2)).all_linear is counts
    assert TargetInfo("x", kind, (2, 2), all_linear=False).all_linear is False


def test_a_layer_that_all_linear_leaves_out_says_why(qtbot):
    why = "PEFT refuses out_proj"
    layers = (*LAYERS, TargetInfo("out_proj", "linear", (8, 8), all_linear=False, left_out=why))
    linear = named_by(layers, ())
    assert linear == LINEAR
    dialog = TargetsDialog(layers, linear, linear, ())
    qtbot.addWidget(dialog)
    dialog.model.tick(["out_proj"])
    assert set(dialog.targets) == {*LINEAR, "out_proj"}
    model = dialog.table.model()
    tips = [model.index(row, NAME).data(Qt.ItemDataRole.ToolTipRole) for row in range(len(layers))]
    assert [tip for tip in tips if why in tip] == [f"out_proj: {why}"]


@pytest.mark.parametrize("opened", [(), ("fc1",), ("fc1", "fc2", "fc3")])
def test_ticked_layers_get_the_words_of_a_runs_settings(fake_session, presets, opened):
    loaded = fake_session(changed(presets[0].config, targets=opened)).loaded()
    linear = frozenset(("fc1", "fc2", "fc3"))
    present = frozenset(layer.name for layer in loaded.layers)
    assert as_targets(loaded, opened, present) == opened
    assert as_targets(loaded, opened, linear) == (opened if present == linear else ())
    assert as_targets(loaded, opened, linear | {"table"}) == ("fc1", "fc2", "fc3", "table")
    assert as_targets(loaded, opened, frozenset(("table", "fc2"))) == ("fc2", "table")

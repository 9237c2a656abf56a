"""Images with text: the loss is transformers' own, an image's tokens are never learned."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from PIL import Image

from lora_lab.adapters.inject import switched
from lora_lab.data import pictured_tokens
from lora_lab.data.pictured_tokens import processed
from lora_lab.errors import CheckpointError, ConfigError, DataError, LabError
from lora_lab.formats.verify import export
from lora_lab.models.inspect import describe
from lora_lab.presets import starting_config
from lora_lab.records import StepRecord
from lora_lab.sampling import Sampling
from lora_lab.tasks.image_text import ImageTextTask
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.measure.directions import explain
from tests.models.vision import libraries
from tests.tasks.image_text_models import PROCESSORS, TORCHVISION, save

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = [(40, 48), (80, 32), (32, 32), (60, 60)]  # of pictures


@pytest.fixture
def pictures(tmp_path):
    random = np.random.default_rng(0)
    for i, size in enumerate(SIZES):
        pixels = random.integers(0, 255, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    return tmp_path


def parts(*content):
    return [{"type": "image"} if c is None else {"type": "text", "text": c} for c in content]


def turns(user, answer):
    return [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]


# Rows as people write them → the very conversation for transformers, and the pictures in order.
ROWS = [
    ({"messages": turns(parts(None, "what is it?"), "a film"), "image": "0.png"},
     turns(parts(None, "what is it?"), parts("a film")), ["0.png"]),
    ({"messages": turns([*parts("look "), {"type": "image", "path": "1.png"}], "it is bad")},
     turns(parts("look ", None), parts("it is bad")), ["1.png"]),
    ({"conversations": [{"from": "human", "value": "<image>\nis it good?"},
                        {"from": "gpt", "value": "good"}], "image": "2.png"},
     turns(parts(None, "is it good?"), parts("good")), ["2.png"]),
    ({"messages": turns(parts(None, "and", None), "two films"), "images": ["0.png", "3.png"]},
     turns(parts(None, "and", None), parts("two films")), ["0.png", "3.png"]),
    ({"messages": turns("no picture", "none")}, turns(parts("no picture"), parts("none")), []),
    ({"prompt": "what?", "completion": "sound", "image": "3.png"},
     turns(parts(None, "what?"), parts("sound")), ["3.png"]),
]  # fmt: skip


def write_rows(folder, rows):
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "rows.jsonl"


def config_of(model, data, **settings):
    return starting_config("image_text", **{
        "model": str(model), "data": str(data), "batch_size": 3, "accumulation": 1,
        "validation": 0.25, "max_steps": 8, "epochs": None, "hyper": {"learning_rate": 1e-2},
    } | settings)  # fmt: skip


@torch.no_grad()
def theirs(model, processor, row, folder):
    """transformers' own loss of one conversation, and how many tokens it asks for.

    The answer is what stands behind the prompt for generation, up to the token that ends it.
    """
    _, chat, names = row
    images = [Image.open(folder / name).convert("RGB") for name in names] or None
    texts = [
        processor.apply_chat_template(chat[:-1], add_generation_prompt=True),
        processor.apply_chat_template(chat),
    ]
    prompt, whole = (
        processor(text=[text], images=[images] if images else None, return_tensors="pt",
                  add_special_tokens=False) for text in texts
    )  # fmt: skip
    ids = whole["input_ids"]
    labels = ids.clone()
    labels[:, : prompt["input_ids"].shape[1]] = -100
    loss = model(**whole, labels=labels, use_cache=False).loss
    return float(loss), int((labels != -100).sum())


def check_family(kind, folder):
    model, processor = save(folder / "m", kind)
    assert "image_text" in describe(folder / "m").tasks
    for row in ROWS:  # each form by itself, and all of them through one batch
        if "prompt" not in row[0]:
            continue
        data = write_rows(folder, [row[0]] * 4)
        task = Experiment.build(config_of(folder / "m", data)).task
        assert len(task.train.said) == 3
    chats = [row for row in ROWS if "prompt" not in row[0]]
    rows = [{("messages" if k == "conversations" else "image" if k == "images" else k): v
             for k, v in row[0].items()} for row in chats]  # fmt: skip
    data = write_rows(folder, rows)
    experiment = Experiment.build(config_of(folder / "m", data, validation_data=str(data)))
    task, lab = experiment.task, experiment.model
    wanted = [theirs(model, processor, row, folder) for row in chats]
    total = sum(loss * count for loss, count in wanted)
    found = experiment.held_out(False)
    assert found.loss == pytest.approx(total / sum(n for _, n in wanted), rel=1e-5)
    for i, (loss, count) in enumerate(wanted):  # each row by itself
        ((part, _),) = task.parts([i], 1)
        assert len(part.targets) == count
        with torch.no_grad(), switched(experiment.layers, False):
            assert float(task.loss(lab.eval(), part)) == pytest.approx(loss, rel=1e-5)
    shares = task.parts(list(range(len(chats))), 2)
    assert sum(share for _, share in shares) == pytest.approx(1)
    marks = {task.processor.tokenizer.convert_tokens_to_ids(t) for t in
             task.processor.tokenizer.all_special_tokens} - {0}  # fmt: skip
    for example in task.train.tokens:
        assert not marks & set(example.ids[example.supervised].tolist())
        assert example.ids[example.supervised][-1] == 0, "the end of an answer is learned"
    return model, experiment


def check_export(model, experiment, folder):
    losses = [r.loss for r in train(experiment, Controls(experiment.hyper))
              if isinstance(r, StepRecord)]  # fmt: skip
    assert losses[-1] < losses[0]
    export(experiment.weights(), folder / "adapter")
    tuned = PeftModel.from_pretrained(model, str(folder / "adapter")).eval()
    ((part, _),) = experiment.task.parts([0], 1)
    with torch.no_grad():
        mine, other = (
            float(experiment.task.loss(m.eval(), part)) for m in (experiment.model, tuned)
        )
    assert mine == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("kind", PROCESSORS)
def test_the_loss_is_transformers_own_and_peft_reads_the_adapter(pictures, kind):
    check_export(*check_family(kind, pictures), pictures)


@pytest.mark.vision
@pytest.mark.parametrize("kind", TORCHVISION)
def test_families_whose_processor_needs_torchvision_are_right_as_well(pictures, kind):
    libraries()
    check_export(*check_family(kind, pictures), pictures)


@pytest.fixture
def llava(pictures):
    save(pictures / "m", "llava")
    return pictures / "m"


ANSWER = turns("what?", "a film")
BAD = [
    ({"messages": ANSWER, "image": "no.png"}, "there is no image 'no.png'"),
    ({"messages": ANSWER, "image": "https://x.org/1.png"}, "nothing is fetched"),
    ({"messages": ANSWER, "image": "data:image/png;base64,AAAA"}, "in the row itself"),
    *(({"messages": ANSWER, "image": name}, "on another machine")
      for name in (r"\\host\share\x.png", "//host/x.png", r"\/host/x.png", "file:////host/x.png",
                   r"\\?\UNC\host\x.png", r"\??\UNC\host\x.png")),
    ({"messages": turns(parts(None, None), "two"), "image": "0.png"}, "fewer images than places"),
    ({"messages": turns(parts(None), "a"), "image": ["0.png", "1.png"]}, "more images than places"),
    ({"messages": turns("what?", parts(None, "x")), "image": "0.png"}, "an answer holds an image"),
    ({"messages": turns("a ￼ b", "c"), "image": "0.png"}, "U\\+FFFC"),
    ({"messages": ANSWER, "image": "torn.png"}, "torn.png"),
    ({"messages": [*ANSWER, *turns(parts(None, "and?"), "b")], "image": "0.png"},
     "an image stands behind an answer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"), BAD, ids=[f"{words} {n}" for n, (_, words) in enumerate(BAD)]
)
def test_a_row_that_cannot_be_used_is_named(pictures, llava, row, words):
    (pictures / "torn.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    data = write_rows(pictures, [ROWS[0][0], row])
    with pytest.raises(DataError, match=f"(?s)2.*{words}"):
        ImageTextTask.open(config_of(llava, data))
    task = ImageTextTask.open(config_of(llava, data, skip_bad_rows=True, validation=0.0))
    assert any("left out" in note for note in task.data.notes)


def test_a_row_that_is_too_long_with_its_images_is_left_out_whole(pictures, llava):
    other = {"messages": turns(parts(None, "and", None), "two films, two"),
             "image": ["0.png", "3.png"]}  # fmt: skip
    data = write_rows(pictures, [*[ROWS[4][0]] * 3, other])
    whole = ImageTextTask.open(config_of(llava, data, validation=0.0)).lengths
    most = int(whole[0])
    assert whole.tolist() == [most] * 3 + [max(whole)]
    assert max(whole) > most
    task = ImageTextTask.open(config_of(llava, data, max_length=most, validation=0.0))
    assert task.rows == 3
    said = f"with its images it has more than {most} tokens"
    assert any(said in note for note in task.data.notes)


def test_of_a_row_of_many_images_a_few_are_made_before_all_of_them(pictures, llava, monkeypatch):
    given = []

    def counted(processor, texts, images, how):
        given.append(sum(map(len, images)))
        return processed(processor, texts, images, how)

    monkeypatch.setattr(pictured_tokens, "processed", counted)
    names = [f"{n % 4}.png" for n in range(20)]
    many = {"messages": turns("what are they?", "films"), "images": names}
    data = write_rows(pictures, [many, ROWS[4][0]])
    whole = ImageTextTask.open(config_of(llava, data, validation=0.0)).train.tokens
    assert given == [8, 4, 20, 0]  # the second eight are as large as the first
    monkeypatch.setattr(pictured_tokens, "FEW", 1000)
    assert whole[0].ids.tolist() == ImageTextTask.open(
        config_of(llava, data, validation=0.0)).train.tokens[0].ids.tolist()  # fmt: skip
    monkeypatch.undo()
    monkeypatch.setattr(pictured_tokens, "processed", counted)
    data = write_rows(pictures, [{**many, "images": names * 1000}, *[ROWS[4][0]] * 2])
    given.clear()
    task = ImageTextTask.open(config_of(llava, data, validation=0.0))
    assert any("1 row was left out: with its images" in note for note in task.data.notes)
    assert max(given) == 8
    monkeypatch.setattr(pictured_tokens, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="row 1: its images take too much memory together"):
        ImageTextTask.open(config_of(llava, data))


def test_a_processor_that_takes_too_long_over_an_image_is_none_of_the_rows(
    pictures, llava, monkeypatch
):
    from transformers import LlavaProcessor

    def endless(*_, **__):
        while True:
            pass

    data = write_rows(pictures, [ROWS[0][0]] * 4)
    monkeypatch.setattr(pictured_tokens, "SECONDS", 0.1)
    monkeypatch.setattr(LlavaProcessor, "__call__", endless)
    with pytest.raises(CheckpointError, match="far too long over its images"):
        ImageTextTask.open(config_of(llava, data, skip_bad_rows=True))


def test_what_has_no_meaning_here_and_models_without_a_processor_are_refused(pictures, llava):
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    for setting in ({"batching": "packed"}, {"keep_data": str(data)}, {"batch_tokens": 512}):
        with pytest.raises(ConfigError, match="rows of text alone"):
            ImageTextTask.open(config_of(llava, data, **setting))
    (llava / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match="has no chat template"):
        ImageTextTask.open(config_of(llava, data))
    for name in ("processor_config.json", "preprocessor_config.json"):
        (llava / name).unlink(missing_ok=True)
    with pytest.raises(CheckpointError, match="processor of images"):
        ImageTextTask.open(config_of(llava, data))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"auto_map": {"AutoProcessor": "x.Y"}}, "code of its author"),
     ({"image_processor": {"size": {"height": 10**6, "width": 10**6}}}, "1,000,000"),
     ({"image_processor": {"min_pixels": 2**25 + 1}}, "min_pixels 33,554,433"),
     ({"image_seq_length": 10**9}, "image_seq_length is 1,000,000,000, far more"),
     ({"image_processor": {"patches": {"most": 10**9}}}, "most is 1,000,000,000, far more"),
     ({"image_processor": {"image_processor_type": "LlavaImageProcessor",
                           "size": {"height": 4096, "width": 4097}, "crop_size": None}},
      "16,781,312 pixels"),
     ({"image_processor": {"image_processor_type": "GotOcr2ImageProcessor", "min_patches": 400,
                           "max_patches": 400, "crop_to_patches": True}}, "400 pieces"),
     ({"audio_tokenizer": {"audio_tokenizer_class": "AutoConfig",
                           "audio_tokenizer_name_or_path": "."}}, "a model of sounds")],
)  # fmt: skip
def test_a_processor_that_runs_code_or_fills_the_memory_is_refused(pictures, llava, change, words):
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    file = llava / "processor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CheckpointError, match=words):
        ImageTextTask.open(config_of(llava, data))


@pytest.mark.parametrize(
    ("name", "change"),
    [("processor_config.json", {"max_pixels": 1_048_576, "min_pixels": 262_144}),
     ("processor_config.json", {"video_processor": {"size": {"longest_edge": 47_040_000}}}),
     ("video_preprocessor_config.json",
      {"size": {"shortest_edge": 12_544, "longest_edge": 47_040_000}, "max_frames": 30_000})],
)  # fmt: skip
def test_areas_and_what_is_of_videos_are_let_be(pictures, llava, name, change):
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    file = llava / name
    file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else {}) | change))
    ImageTextTask.open(config_of(llava, data))


def test_a_second_tokenizer_in_a_folder_of_its_own_is_looked_at_as_well(pictures, llava):
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    shutil.copytree(llava, llava / "qformer_tokenizer", ignore=shutil.ignore_patterns("*.safe*"))
    ImageTextTask.open(config_of(llava, data))
    told = llava / "qformer_tokenizer" / "tokenizer_config.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "extra_ids": 10**9}))
    with pytest.raises(CheckpointError, match=r"qformer_tokenizer: .*extra_ids is 1,000,000,000"):
        ImageTextTask.open(config_of(llava, data))


@pytest.mark.parametrize(
    ("said", "package"),
    [("X requires the Torchvision library but it was not found", "torchvision"),
     ("Package `num2words` is required. Install it with `pip install num2words`.", "num2words")],
)  # fmt: skip
def test_a_package_that_a_processor_lacks_is_named(pictures, llava, monkeypatch, said, package):
    import transformers

    def lacking(*_, **__):
        raise ImportError(said)

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", lacking)
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    with pytest.raises(CheckpointError, match=f"it needs {package}.*pip install {package}"):
        ImageTextTask.open(config_of(llava, data))


@torch.no_grad()
def test_answers_are_transformers_own_of_images_and_of_typed_prompts(pictures, llava):
    chats = [ROWS[0], ({"messages": turns(parts(None, "and?"), "b"), "image": "3.png"},
                       turns(parts(None, "and?"), parts("b")), ["3.png"])]  # fmt: skip
    data = write_rows(pictures, [row for row, *_ in chats])
    experiment = Experiment.build(config_of(llava, data, validation_data=str(data)))
    task, model, answer = experiment.task, experiment.model, experiment.inference.answer
    assert task.generates
    assert task.chats
    assert len(task.prompts()) == 2
    typed = ({}, turns(parts("what?"), ""), [])
    found = [answer(prompt, True, 6) for prompt in (*task.prompts(), "what?")]
    model.eval()
    for said, (_, chat, names) in zip(found, [*chats, typed], strict=True):
        text = task.processor.apply_chat_template(chat[:1], add_generation_prompt=True)
        images = [[Image.open(pictures / name).convert("RGB") for name in names]] if names else None
        inputs = task.processor(text=[text], images=images, return_tensors="pt")
        ids = model.generate(**inputs, max_new_tokens=6, do_sample=False)[0]
        new = ids[inputs["input_ids"].shape[1] :]
        assert said == task.processor.tokenizer.decode(new, skip_special_tokens=True)
        if not names:
            assert answer(text, False, 6, Sampling(prompt="text")) == said
            assert answer("what?", False, 6, Sampling(prompt="chat")) == said
    with pytest.raises(LabError, match="A typed one has no image"):
        answer("<image> what?", True, 6)


def test_tokens_and_parts_of_a_validation_are_counted(pictures, llava):
    data = write_rows(pictures, [ROWS[i][0] for i in (0, 1, 4)] * 3)
    experiment = Experiment.build(config_of(llava, data))
    batch = next(experiment.task.batches(3, 0))
    seen = [p.inputs["attention_mask"].sum() for p, _ in experiment.task.parts(batch, 1)]
    assert experiment.task.tokens(batch) == sum(map(int, seen)) > 0
    asked = []
    experiment.inference.held_out(True, lambda: bool(asked.append(1)))
    assert experiment.task.evaluation_parts == len(asked) > 0


def test_a_processor_does_not_end_over_a_text_as_little_as_its_tokenizer(pictures, llava):
    file = llava / "tokenizer.json"
    table = json.loads(file.read_text())
    pattern = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated",
               "invert": False}  # fmt: skip
    file.write_text(json.dumps({**table, "pre_tokenizer": pattern}))
    long = {"messages": turns("a" * 60 + "b", "a film"), "image": "0.png"}
    data = write_rows(pictures, [ROWS[0][0]] * 3 + [long])
    with pytest.raises(DataError, match=r"row 4: .*its tokenizer does not end over"):
        ImageTextTask.open(config_of(llava, data))


def test_directions_of_the_output_head_are_named_by_their_tokens(pictures, llava):
    data = write_rows(pictures, [ROWS[0][0]] * 4)
    experiment = Experiment.build(config_of(llava, data, targets=("lm_head",)))
    (layer,) = experiment.lora_layers
    layer.lora_B.data.normal_(0, 1, generator=torch.Generator().manual_seed(0))
    (found,) = explain(experiment, "lm_head", 1, data=False).directions
    u = torch.linalg.svd((layer.lora_B @ layer.lora_A).detach())[0][:, 0]
    best = int(u.argmax()) if u[u.abs().argmax()] > 0 else int((-u).argmax())
    assert found.tokens.positive[0][0] == experiment.task.tokenizer.decode([best])

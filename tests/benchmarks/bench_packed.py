"""A base in blocks: memory and time of SmolLM2 beside floats, and a model of 7B shape on 10 GB.

    python -m tests.benchmarks.bench_packed small FOLDER    (of SmolLM2-135M)
    python -m tests.benchmarks.bench_packed large FOLDER    (4 GB are written there, and removed)

`large` writes a .gguf of random blocks, layer by layer, in the shape of Llama 2 7B, and trains two
steps of 128 tokens on it: the peak of the process beside its estimate before the first step.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

LAYERS, WIDTH, INNER, VOCABULARY, HEADS = 32, 4096, 11008, 32000, 32
ROUNDS = 5
CASES = {
    "float32": ("float", "float32"), "bfloat16": ("float", "bfloat16"),
    "NF4, float32": ("4", "float32"), "NF4, bfloat16": ("4", "bfloat16"),
}  # fmt: skip


def small(folder: Path) -> None:
    """Bytes of the weights and CPU seconds of a step, the cases one after the other each round."""
    import torch

    from lora_lab.adapters.inject import inject
    from lora_lab.blocks.frozen import FrozenBlocks
    from lora_lab.models.hf_folder import open_model

    torch.set_num_threads(1)
    ids = torch.randint(100, 4000, (4, 64), generator=torch.Generator().manual_seed(0))
    models, sizes = {}, {}
    for name, (bits, dtype) in CASES.items():
        model = open_model(folder, "causal_lm", bits=bits, dtype=getattr(torch, dtype)).module
        packed = sum(m.blocks.nbytes for m in model.modules() if isinstance(m, FrozenBlocks))
        sizes[name] = packed + sum(p.nbytes for p in model.parameters())
        inject(model, rank=8)
        models[name] = model.train()
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS + 1):
        for name, model in models.items():
            began = time.process_time()
            model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
            times[name].append(time.process_time() - began)
    first = statistics.median(times["float32"][1:])
    for name in CASES:
        step, size = statistics.median(times[name][1:]), sizes[name]
        print(
            f"{name:14} {size / 2**20:6.0f} MiB = {size / sizes['float32']:.2f}   "
            f"{step:5.2f} CPU s a step = {step / first:.2f}"
        )


def large(folder: Path) -> None:
    """Write the model and its rows, train in a process of its own, and remove them."""
    folder.mkdir(parents=True, exist_ok=True)
    path, rows = folder / "llama-7b-q4_0.gguf", folder / "rows.jsonl"
    try:
        write(path)
        text = "the quick brown fox jumps over the lazy dog and all of the others go home "
        rows.write_text("\n".join(json.dumps({"text": f"{i} {text * 3}"}) for i in range(8)))
        print(f"{path.name}: {path.stat().st_size / 1e9:.2f} GB", flush=True)
        module = "tests.benchmarks.bench_packed"
        subprocess.run([sys.executable, "-m", module, "steps", str(folder)], check=True)
    finally:
        path.unlink(missing_ok=True)
        rows.unlink(missing_ok=True)


def write(path: Path) -> None:
    """A Llama of 7B shape in q4_0, its head in q6_K, of random blocks."""
    from gguf import GGMLQuantizationType as Kind
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    letters = [chr(33 + i) for i in range(90)]
    tokens = ["<|end|>", "<|pad|>", "Ġ", "th", "the", *letters]
    tokens += [f"<{i}>" for i in range(VOCABULARY - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(["t h", "th e"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    square, up, down = (WIDTH, WIDTH), (INNER, WIDTH), (WIDTH, INNER)
    shapes = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square,
              "ffn_gate": up, "ffn_up": up, "ffn_down": down}  # fmt: skip
    table = (VOCABULARY, WIDTH)
    tensors = [("token_embd.weight", table, Kind.Q4_0), ("output.weight", table, Kind.Q6_K)]
    for n in range(LAYERS):
        tensors += [(f"blk.{n}.{name}.weight", s, Kind.Q4_0) for name, s in shapes.items()]
        norms = ("attn_norm", "ffn_norm")
        tensors += [(f"blk.{n}.{name}.weight", (WIDTH,), Kind.F32) for name in norms]
    tensors.append(("output_norm.weight", (WIDTH,), Kind.F32))
    for name, shape, kind in tensors:
        raw = blocks(kind, shape, None)
        writer.add_tensor_info(name, raw.shape, raw.dtype, raw.nbytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    draw = np.random.default_rng(0)
    for _, shape, kind in tensors:
        writer.write_tensor_data(blocks(kind, shape, draw))
    writer.close()


def blocks(kind: int, shape: tuple[int, ...], draw: np.random.Generator | None) -> np.ndarray:
    """Random blocks of a matrix, of a deviation of 0.02 or so; without `draw` an empty one."""
    from gguf import GGML_QUANT_SIZES
    from gguf import GGMLQuantizationType as Kind

    if kind == Kind.F32:
        return np.ones(shape, np.float32)
    numbers, size = GGML_QUANT_SIZES[kind]
    raw_shape = (shape[0], shape[1] // numbers * size)
    if draw is None:
        return np.empty(raw_shape, np.uint8)
    raw = draw.integers(0, 256, (shape[0], shape[1] // numbers, size), dtype=np.uint8)
    at, scale = (0, 0.0043) if kind == Kind.Q4_0 else (size - 2, 1.5e-5)
    raw[..., at : at + 2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    return raw.reshape(raw_shape)


def steps(folder: Path) -> None:
    """Open what `large` wrote, say the estimate, make two steps, and say what they took."""
    import torch

    from lora_lab.presets import starting_config
    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train
    from lora_lab.training.measure.memory_preview import memory_preview
    from lora_lab.training.packed_base import with_its_dtype

    torch.set_num_threads(2)
    import transformers  # noqa: F401, libraries count to what stands before

    before = peak()
    config = starting_config(
        "causal_lm", model=str(folder / "llama-7b-q4_0.gguf"), data=str(folder / "rows.jsonl"),
        batch_size=1, accumulation=1, max_steps=2, max_length=128, batching="shuffled",
        validation=0, hyper={"rank": 8},
    )  # fmt: skip
    config = with_its_dtype(config)
    began = time.perf_counter()
    experiment = Experiment.build(config)
    opened = time.perf_counter() - began
    record = memory_preview(experiment)
    estimate = record.peak + before
    print(
        f"opened in {opened:.0f} s, {config.dtype}: {peak() / 1e9:.2f} GB so far; the estimate of "
        f"a step: {record.peak / 1e9:.2f} GB of tensors and {before / 1e9:.2f} of libraries "
        f"= {estimate / 1e9:.2f} GB (found in {record.seconds:.0f} s)",
        flush=True,
    )
    for step in train(experiment, Controls(config.hyper)):
        if isinstance(step, StepRecord):
            print(f"step {step.step}: loss {step.loss:.3f}, {step.seconds:.0f} s", flush=True)
    print(f"peak {peak() / 1e9:.2f} GB; estimate / peak = {estimate / peak():.3f}")


def peak() -> int:
    """The most that this process had in memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["small", "large", "steps"])
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    {"small": small, "large": large, "steps": steps}[asked.what](asked.folder)

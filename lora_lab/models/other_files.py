"""Files and folders of other frameworks: what they are, told from bytes and names, and the way out.

None of them is opened here. Who has one is told which program turns it into tensors by name.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

OLDER = (
    "transformers 4 converts it: AutoModel.from_pretrained(FOLDER, {}=True).save_pretrained(OUT), "
    "with the class that it was saved from"
)
ORIGINAL = "it is an export; choose the PyTorch checkpoint that it was made from"
DCP = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt"
BRIDGE = "Megatron Bridge exports it as a Hugging Face folder (AutoBridge.export_ckpt)"

# First bytes, from where, what it is, the way out.
BYTES = (
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file, as Keras and TensorFlow write",
     "keras.models.load_model, then torch.save of the arrays by name"),
    (b"TFL3", 4, "a TensorFlow Lite model", ORIGINAL),
    (b"\x93NUMPY", 0, "one NumPy array", "save named arrays: numpy.savez('weights.npz', **arrays)"),
    (b"ggml", 0, "a GGML file of before GGUF", "llama.cpp converts it to GGUF"),
    (b"lmgg", 0, "a GGML file of before GGUF", "llama.cpp converts it to GGUF"),
    (b"ustar", 257, "a tar archive", "unpack it (tar -xf) and choose what is inside"),
    (b"\x1f\x8b", 0, "a gzip archive", "unpack it and choose what is inside"),
)  # fmt: skip
# Ends of names, what it is, the way out.
NAMES = (
    ("*.onnx", "an ONNX model", ORIGINAL),
    ("*.pb", "a TensorFlow graph", ORIGINAL),
    ("*.msgpack", "Flax weights", OLDER.format("from_flax")),
    ("*.tflite", "a TensorFlow Lite model", ORIGINAL),
    ("*.mlmodel", "a Core ML model", ORIGINAL),
    ("*.engine", "a TensorRT engine", ORIGINAL),
    ("*.distcp", "a shard of torch.distributed.checkpoint", f"join them: {DCP}"),
    ("*.ckpt.index", "a TensorFlow checkpoint", OLDER.format("from_tf")),
    ("*.data-00000-of-*", "a TensorFlow checkpoint", OLDER.format("from_tf")),
)  # fmt: skip
# Members of zip archives.
MEMBERS = (
    ("model.weights.h5", "a Keras model",
     "keras.models.load_model, then torch.save of the arrays by name"),
    ("*archive_format", "a program of torch.export", ORIGINAL),
    ("*model.json", "a program of torch.export", ORIGINAL),
)  # fmt: skip
# What lies in a folder.
FOLDERS = (
    ("model_index.json", "a diffusers pipeline of several models",
     "open the folder of one of them that this program trains, as text_encoder"),
    ("zero_to_fp32.py", "a DeepSpeed checkpoint",
     "join its shards: python zero_to_fp32.py FOLDER OUT --safe_serialization"),
    ("zero_pp_rank_*", "a DeepSpeed checkpoint",
     "join its shards with the zero_to_fp32.py that DeepSpeed writes beside them"),
    ("*.distcp", "a checkpoint of torch.distributed.checkpoint (DCP)", f"join its shards: {DCP}"),
    ("mp_rank_*", "a Megatron checkpoint", BRIDGE),
    ("iter_0*", "a Megatron checkpoint", BRIDGE),
    ("latest_checkpointed_iteration.txt", "a Megatron checkpoint", BRIDGE),
    ("params.json", "a checkpoint in its maker's own layout (consolidated)",
     "transformers has a script for it: models/*/convert_*_weights_to_hf.py"),
    ("saved_model.pb", "a TensorFlow SavedModel", ORIGINAL),
    ("*.onnx", "an ONNX export", ORIGINAL),
    ("onnx", "an ONNX export", ORIGINAL),
    ("flax_model*.msgpack", "a folder of Flax weights", OLDER.format("from_flax")),
    ("tf_model*.h5", "a folder of TensorFlow weights", OLDER.format("from_tf")),
    ("*.ckpt.index", "a TensorFlow checkpoint", OLDER.format("from_tf")),
    ("*.gguf", "a folder of GGUF files", "choose the .gguf file itself"),
    ("modules.json", "a sentence-transformers folder",
     "choose the folder of its transformer inside it, which has a config.json"),
    ("lit_config.json", "a checkpoint of LitGPT",
     "litgpt convert_from_litgpt FOLDER OUT, beside the config.json of its base"),
    ("lit_model*.pth", "a checkpoint of LitGPT",
     "litgpt convert_from_litgpt FOLDER OUT, beside the config.json of its base"),
    ("refs", "a repository of the Hugging Face cache",
     "choose the folder of one version inside snapshots"),
    ("checkpoint-*", "a folder of several checkpoints", "choose one of the checkpoints in it"),
)  # fmt: skip


def other_file(head: bytes, name: str) -> str:
    """What a file with these first bytes is, in a sentence with the way out; "" if not known."""
    for first, at, what, way in BYTES:
        if head[at : at + len(first)] == first:
            return _said("this is", what, way)
    return next((_said("this is", w, way) for p, w, way in NAMES if fnmatch(name, p)), "")


def other_archive(members: list[str]) -> str:
    """What a zip archive with these members is; "" if not known."""
    for pattern, what, way in MEMBERS:
        if any(fnmatch(member, pattern) for member in members):
            return _said("this is", what, way)
    return ""


def other_folder(folder: Path) -> str:
    """What a folder is that holds no weights of ours; "" if not known."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return ""
    for pattern, what, way in FOLDERS:
        if any(fnmatch(name, pattern) for name in names):
            return _said("it is", what, way)
    return ""


def _said(begin: str, what: str, way: str) -> str:
    return f"{begin} {what}, which is not opened here. Way out: {way}."

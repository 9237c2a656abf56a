"""A GGUF file as it lies there: its blocks become the weights, and are never blown up to floats.

transformers says which tensor is which parameter, and in which order llama.cpp's converter put its
rows (of q and k). A block lies inside a row, so that rows of blocks can be moved as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn

from lora_lab.blocks.forms import FORMS, fits
from lora_lab.blocks.frozen import FrozenBlocks, FrozenEmbedding, FrozenLinear
from lora_lab.errors import CheckpointError, system_reason
from lora_lab.models.architecture import Purpose, architecture, first_line, quiet
from lora_lab.models.checkpoint import check_weights
from lora_lab.models.frame import laid_out
from lora_lab.models.framed import Given
from lora_lab.models.gguf_file import DAMAGED, GgufTensor, by_copy, check_gguf, header_of
from lora_lab.models.hf_config import check_config, check_counts, check_frame
from lora_lab.names import shown
from lora_lab.progress import Report, silent

FLOATS = ("F32", "F16", "BF16", "F64")
BY_FORM = {name.upper(): name for name in FORMS}


def read_as_it_lies(
    path: Path, purpose: Purpose, dtype: torch.dtype, report: Report = silent
) -> Given:
    """The weights of a GGUF file: linear layers and embeddings in its blocks, the rest in `dtype`.

    Raises CheckpointError for what is damaged, unsafe, an architecture that transformers does not
    know, and a form of blocks that is not known here.
    """
    tensors = check_gguf(path)
    header = header_of(tensors)
    from transformers import modeling_gguf_pytorch_utils as library

    report(f"Reading {path.name}", -1)
    try:
        with quiet(path.name), by_copy(header):
            values = library.load_gguf_checkpoint(str(path))["config"]
            check_config(values, path.name)
            check_counts(values, len(tensors), path.name)
            config, kind = architecture(values, purpose, path.name)
            frame = laid_out(config, kind, path.name, len(tensors))
            check_frame(frame, sum(int(np.prod(t.shape)) for t in tensors), path.name)
            named = _architecture_of(path)
            processor = library.TENSOR_PROCESSORS.get(named, library.TensorProcessor)(config=values)
            names = library.get_gguf_hf_weights_map(frame, processor)
        reading = _Reading(path, frame, processor, names, dtype)
        with path.open("rb") as file:
            for number, tensor in enumerate(tensors):
                report(f"Reading {path.name}", number / len(tensors))
                reading.take(tensor, file)
    except CheckpointError:
        raise
    except OSError as error:
        reason = system_reason(error)
        raise CheckpointError(f"{path.name}: cannot be read ({reason}).") from error
    except Exception as error:
        raise CheckpointError(f"{path.name}: cannot be unpacked ({first_line(error)}).") from error
    _tie(frame, config, reading.blocks)
    check_weights(reading.state or {"": torch.empty(0)})
    notes = (f"unpacked to floats: {_listed(reading.unpacked)}",) if reading.unpacked else ()
    return Given(config.to_dict(), reading.state, reading.blocks, notes)


class _Reading:
    """The tensors of one file as they are taken: into blocks, or into floats."""

    def __init__(
        self, path: Path, frame: nn.Module, processor: Any, names: dict[str, str],
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.path, self.frame, self.processor = path, frame, processor
        self.names, self.dtype = names, dtype
        self.blocks: dict[str, FrozenBlocks] = {}
        self.parsed: dict[str, Any] = {"tensors": {}}
        self.unpacked: list[str] = []  # packed in the file, and no plain layer of the model

    @property
    def state(self) -> dict[str, torch.Tensor]:
        return self.parsed["tensors"]

    def take(self, tensor: GgufTensor, file: BinaryIO) -> None:
        """One tensor, read from the file."""
        file.seek(tensor.begin)
        raw = np.fromfile(file, np.uint8, tensor.bytes)
        if len(raw) < tensor.bytes:
            raise CheckpointError(f"{self.path.name} shrank while it was read. {DAMAGED}")
        if not self._as_blocks(tensor, raw):
            self._as_floats(tensor, raw)

    def _as_blocks(self, tensor: GgufTensor, raw: np.ndarray) -> bool:
        """Whether it became the weight of a plain layer, byte for byte."""
        name, _, last = self.names.get(tensor.name, "").rpartition(".")
        form = BY_FORM.get(tensor.kind, "")
        if tensor.kind in FLOATS or last != "weight":
            return False
        module = self.frame.get_submodule(name)
        if type(module) not in (nn.Linear, nn.Embedding) or len(tensor.shape) != 2:
            return False
        if not form:
            raise CheckpointError(
                f"{self.path.name}: {shown(tensor.name)} is packed as {tensor.kind}, which is not "
                f"trained on as it lies there; {', '.join(BY_FORM)} are. Choose a file in one of "
                'them, or unpack this one to floats (--base-bits float, "float" in the window).'
            )
        rows, columns = tensor.shape
        order = self._order(tensor, rows)
        if order is None or not fits(form, columns):
            return False
        if tuple(module.weight.shape) != (rows, columns):
            raise CheckpointError(
                f"{self.path.name}: {shown(tensor.name)} is {rows:,} × {columns:,}, and the model "
                f"wants {tuple(module.weight.shape)}. {DAMAGED}"
            )
        lying = raw.reshape(rows, -1)
        blocks = lying if (order[1:] > order[:-1]).all() else lying[order]
        layer: FrozenBlocks
        if isinstance(module, nn.Linear):
            layer = FrozenLinear(columns, rows, module.bias is not None, form, self.dtype)
        else:
            layer = FrozenEmbedding(rows, columns, form, self.dtype)
        layer.fill(torch.from_numpy(blocks), shown(tensor.name))
        self.blocks[name] = layer
        return True

    def _order(self, tensor: GgufTensor, rows: int) -> np.ndarray | None:
        """Where each row of the model's weight lies in the file; None where numbers are changed.

        Asked of transformers with the numbers of the rows in place of their contents.
        """
        numbered = np.arange(rows, dtype=np.float64)[:, None]
        try:
            made = self.processor.process(weights=numbered, name=tensor.name)
        except Exception:  # noqa: BLE001, it looks at the width: other than by rows
            return None
        found = np.asarray(made.weights)
        same = found.shape == numbered.shape and made.name == tensor.name
        if not same or not np.array_equal(np.sort(found[:, 0]), numbered[:, 0]):
            return None
        return found[:, 0].astype(np.int64)

    def _as_floats(self, tensor: GgufTensor, raw: np.ndarray) -> None:
        """Unpacked, and changed as transformers does; what belongs nowhere is left out."""
        from gguf import GGMLQuantizationType, dequantize

        kind = GGMLQuantizationType[tensor.kind]
        W = dequantize(raw.reshape(*tensor.shape[:-1], -1), kind).reshape(tensor.shape)
        made = self.processor.process(
            weights=W, name=tensor.name, tensor_key_mapping=self.names,
            parsed_parameters=self.parsed,
        )  # fmt: skip
        if made.name not in self.names:
            return
        if tensor.kind not in FLOATS:
            self.unpacked.append(tensor.name)
        self.state[self.names[made.name]] = torch.from_numpy(np.array(made.weights)).to(self.dtype)


def _architecture_of(path: Path) -> str:
    from gguf import GGUFReader

    field = GGUFReader(str(path)).fields["general.architecture"]
    return str(field.contents())


def _tie(frame: Any, config: Any, blocks: dict[str, FrozenBlocks]) -> None:
    """Give a head that is tied to an embedding in blocks the very same blocks."""
    paths = {module: name for name, module in frame.named_modules()}
    table, head = frame.get_input_embeddings(), frame.get_output_embeddings()
    own = blocks.get(paths.get(table, ""))
    if own is None or type(head) is not nn.Linear or paths[head] in blocks:
        return
    if getattr(config, "tie_word_embeddings", False):
        rows, columns = own.shape
        tied = FrozenLinear(columns, rows, head.bias is not None, own.form, own.dtype)
        tied.fill(own.blocks, paths[head])
        blocks[paths[head]] = tied


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"

"""Which run keeps what its frozen trunk answers, where, how much, and what is said of that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import lora_lab
from lora_lab.blocks.gemm import onednn_is_quicker
from lora_lab.config import RunConfig
from lora_lab.errors import system_reason
from lora_lab.records import NewsRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.kept_states import KeptInMemory, KeptStates
from lora_lab.tasks.base import Task
from lora_lab.tasks.trunk import Trunk

IN_MEMORY = 2**28  # bytes, as long as a run has no folder


class TrunkCache:
    """Follows one run: from memory into its folder, and on where the folder goes."""

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        adapted: Sequence[str],
        config: RunConfig,
        base_fingerprint: str,
    ) -> None:
        self.trunk: Trunk | None = None
        self.notes: tuple[str, ...] = ()
        self._most = int(config.trunk_cache * 1e9)
        self._store: KeptInMemory | KeptStates = KeptInMemory(min(self._most, IN_MEMORY))
        self._place: Path | None = None  # of the last folder that was tried
        self._said = ""
        head: Any = getattr(task, "head", None)
        if head is None or config.shard_base:  # its blocks come and go
            return
        head.trunks.pop(model, None)
        self.trunk, reason = Trunk.of(model, adapted)
        if self.trunk is not None and config.share_prefix:
            self.trunk, reason = None, "rows that share a prefix go through them together"
        if self.trunk is None:
            if reason:
                self.notes = (f"the layers below the adapters are computed in each step: {reason}",)
            return
        head.trunks[model] = self.trunk
        parameter = next(model.parameters())
        self._key = json.dumps([
            base_fingerprint, self.trunk.depth, str(parameter.dtype), str(parameter.device),
            torch.get_num_threads(), torch.__version__, torch.backends.cpu.get_cpu_capability(),
            onednn_is_quicker(), lora_lab.__version__,
            getattr(model.config, "_attn_implementation", ""),
        ])  # fmt: skip
        if self._most:
            self.trunk.store = self._store
            self.notes = (
                f"the {self.trunk.depth} of {self.trunk.count} layers below the adapters are "
                "computed once for each text, and what they answer is kept beside the run",
            )

    def follow(self, folder: RunFolder | None, step: int) -> Iterator[NewsRecord]:
        """Keep in the run's folder as soon as there is one; what is to be said of it, once."""
        if self.trunk is None or not self._most:
            return
        if folder is not None and folder.path != self._place:
            self._place = folder.path
            self._move(folder.path)
        store = self._store
        problem = store.problem or (f"{self._most / 1e9:g} GB are full" if store.full else "")
        if problem and problem != self._said:
            self._said = problem
            yield NewsRecord(
                step,
                f"No more of what the lower layers answer is kept ({problem}). Training "
                "continues with the same numbers; texts that are not kept take the time of the "
                "first epoch.",
            )

    def _move(self, folder: Path) -> None:
        before = self._store
        try:
            kept = KeptStates(folder, self._key, self._most)
        except OSError as error:
            before.problem = system_reason(error)
            return
        if isinstance(before, KeptInMemory):
            for digest, data in before.entries.items():
                kept.put(digest, data)
        else:
            before.close()
        self._store = kept
        if self.trunk is not None:
            self.trunk.store = kept

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._store, KeptStates):
            self._store.close()
            if self.trunk is not None:
                self.trunk.store = None

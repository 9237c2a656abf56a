"""The JSON form of records: plain tables, lists, numbers and strings."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import Record


def plain(value: Any) -> Any:
    """The JSON form of a record or of anything inside one; records are tagged by `record`."""
    if isinstance(value, Hyperparameters):
        return value.model_dump()
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return {"record": type(value).__name__, **named} if isinstance(value, Record) else named
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value

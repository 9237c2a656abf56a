"""The order of classes: that of the run that is resumed, that of the checkpoint's head, or natural.

A head is a matrix with a row for each class: by another order it says other names.
"""

from __future__ import annotations

from collections.abc import Iterable

from lora_lab.config import RunConfig
from lora_lab.data.values import plain_form
from lora_lab.errors import DataError
from lora_lab.models.hf_folder import class_names


def ordered(names: Iterable[str], config: RunConfig) -> tuple[str, ...]:
    """The classes of the data, `names` in their natural order, in the order that the head has.

    Raises DataError where a run or an adapter is continued on data of other classes.
    """
    names = tuple(names)
    if config.classes:
        if set(names) != set(config.classes):
            raise DataError(
                f"What is continued was trained on the classes {', '.join(config.classes[:10])}; "
                f"the data has {', '.join(names[:10])} now. Give it data of those classes."
            )
        return config.classes
    known = class_names(config.model) if config.model else ()
    own = {plain_form(name): name for name in names}  # "positive" is the head's "POSITIVE"
    forms = [plain_form(name) for name in known]
    if len(own) == len(names) == len(forms) and set(forms) == set(own):
        return tuple(own[form] for form in forms)
    return names

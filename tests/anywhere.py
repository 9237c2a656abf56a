"""The starts that any base can have; one is of what packing took from W, and needs that."""

from lora_lab.inits import INITS

ANYWHERE = tuple(name for name, row in INITS.items() if not row.of_rounding)

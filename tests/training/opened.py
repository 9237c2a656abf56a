"""How a test opens a run, from the few words that its cases differ in."""

from pathlib import Path

from lora_lab.config import Origin, RunConfig
from lora_lab.training.opening import Branch, New, Opening, Resume


def opening(
    config: RunConfig | None,
    folder: Path | None = None,
    resume: Path | None = None,
    branch: Origin | None = None,
    until: int | None = None,
) -> Opening:
    """A run to resume (up to `until`), a branch, or else a new one."""
    if resume is not None:
        return Resume.at(resume, until)
    return New(config, folder) if branch is None else Branch(branch, config, folder)

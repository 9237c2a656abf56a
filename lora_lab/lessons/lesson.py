"""A lesson as it is read from its file, the curves of its run, and the answer that it measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from lora_lab import paths
from lora_lab.lessons import LESSONS
from lora_lab.progress import Report

CHOICE = "- "
WHY = "## Why"


@dataclass(frozen=True)
class Sample:
    """One value of a named curve, to be drawn as it comes."""

    curve: str
    x: float
    y: float


@dataclass(frozen=True)
class Answer:
    """Which of the choices was right by what was measured here, and the figures in a sentence."""

    choice: int
    sentence: str


Run = Callable[[Report], Iterator[Sample | Answer]]


@dataclass(frozen=True)
class Lesson:
    """A question with choices, the text behind it, and the run that tells."""

    name: str
    title: str
    question: str
    choices: tuple[str, ...]
    x_label: str
    why: str  # Markdown, shown once there is an answer
    run: Run


def lessons() -> tuple[Lesson, ...]:
    """All of them, in order."""
    return tuple(read(name) for name in LESSONS)


def read(name: str) -> Lesson:
    """The lesson of that name; its run is loaded when it is first asked for."""
    text = (paths.resources() / "lessons" / f"{name}.md").read_text("utf-8")
    asked, _, why = text.partition(f"\n{WHY}\n")
    heading, _, body = asked.partition("\n")
    lines = body.strip().split("\n")
    choices = tuple(line.removeprefix(CHOICE) for line in lines if line.startswith(CHOICE))
    words = [line for line in lines if line and not line.startswith((CHOICE, "x: "))]
    x_label = next((line.removeprefix("x: ") for line in lines if line.startswith("x: ")), "step")
    return Lesson(
        name, heading.lstrip("# ").strip(), " ".join(words), choices, x_label, why.strip(),
        lambda report: _run_of(name)(report),
    )  # fmt: skip


def _run_of(name: str) -> Run:
    file, _, function = LESSONS[name].partition(":")
    run: Run = getattr(import_module(f"lora_lab.lessons.{file}"), function)
    return run

"""How text is generated on request: what is drawn from, where it ends, what the prompt is."""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.errors import ConfigError

# What a prompt is: as the rows are, itself, what a user says.
PROMPTS = AS_ROWS, AS_TEXT, CHAT = "data", "text", "chat"


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 takes the likeliest token; otherwise one is drawn from softmax(logits/T).

    Of that distribution `top_p` keeps the likeliest tokens whose probabilities sum up to it. The
    same seed draws alike with the adapter off and on. Text ends before the first of `stop` in it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    prompt: str = AS_ROWS  # one of PROMPTS

    def checked(self) -> Sampling:
        """Itself; raises ConfigError for what nothing can be drawn with."""
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"Temperature must be 0 or more, not {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p is a share above 0 up to 1, not {self.top_p}.")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"A seed is a whole number from 0 up, not {self.seed}.")
        if self.prompt not in PROMPTS:
            raise ConfigError(f"A prompt is one of {', '.join(PROMPTS)}, not {self.prompt!r}.")
        if "" in self.stop:
            raise ConfigError("A stop text of no characters stands everywhere.")
        return self


GREEDY = Sampling()

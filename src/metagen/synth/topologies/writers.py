"""What models share that write token by token: phases of an answer, and how fast is fast enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ...utils import formatting as fmt
from ..devices import Device
from ..serving import Timed
from ..trace import Trace
from .base import FULL_CONTEXT, Pace, Phase
from .stack import StackTopology

#: Tokens of the prompt whose answer is awaited.
PROMPT = 1024

#: Tokens per second and seconds to the first token of a prompt of `PROMPT` tokens.
LATENCY = {"real-time": (20.0, 0.5), "near-real-time": (5.0, 5.0), "offline": (0.0, inf)}


class WriterTopology(StackTopology):
    """A stack whose answer is a prompt that is read, and tokens that are written one by one.

    Its model reads `length` positions in `answer`, and one more after `past` in `next_token`.
    """

    unit = "token"
    rate_unit = "tok/s"

    def prompt(self, dims: Mapping[str, Any], context: int) -> int:
        """Positions that are read before an answer begins."""
        return min(PROMPT, context)

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"{PROMPT}-token prompt"

    def phases(self, model: Any, dims: Mapping[str, Any], context: int) -> tuple[Phase, ...]:
        """A prompt, a decoding step after it, one with the context full, and its last chunk."""
        prompt = self.prompt(dims, context)

        def decode(past: int) -> Callable[[Trace, int], None]:
            return lambda trace, batch: model.next_token(trace, batch, past)

        return (
            Phase("prefill", lambda trace, batch: model.answer(trace, batch, prompt)),
            Phase("decode", decode(prompt)),
            Phase(FULL_CONTEXT, decode(max(1, context - 1))),
            Phase("last chunk", lambda trace, batch: model.answer(trace, batch, context), 0),
        )

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> Pace:
        """Decoding after a prompt, and the time to read the prompt."""
        method = f"roofline on {device.name}, {self.answered(dims)}"
        return Pace(batch / phases["decode"].seconds, phases["prefill"].seconds, method)

    def too_slow(self, pace: Pace, latency: str) -> bool:
        rate, first = LATENCY[latency]
        return pace.rate < rate or pace.first > first

    def latency_asked(self, latency: str) -> str:
        rate, first = LATENCY[latency]
        if not rate:
            return "no bound"
        return f"at least {fmt.rate(rate, 'tok/s')}, first token within {fmt.seconds(first)}"

    def latency_achieved(self, pace: Pace) -> str:
        return f"{fmt.rate(pace.rate, 'tok/s')}, first token in {fmt.seconds(pace.first)}"

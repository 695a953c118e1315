"""Specifications whose every free text is an attack, and the file that would show it worked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from metagen.specs.fields import LONGEST_NAME

OWNED = "owned"
"""The file that an executed payload creates in the working directory."""

SECRET = "METAGEN_SURVIVAL_SECRET"
"""The environment variable whose value an expanded payload betrays."""

PAYLOADS = (
    "\"'\"\"\"'''`` end",
    f"''' + __import__('os').system('touch {OWNED}') + '''",
    f'"); import os; os.system("touch {OWNED}") #',
    "{name} {total_params} {0} %s %(name)s ${name}",
    "{{ 7 * 7 }}{% raw %}{# gone #}{{ undefined.attribute }}",
    f"{{{{ cycler.__init__.__globals__.os.system('touch {OWNED}') }}}}",
    r"\input{/etc/passwd} \include{x} \csname input\endcsname",
    rf"\immediate\write18{{touch {OWNED}}} ^^5cinput",
    r"} \end{document} % \def\x{ $ & # _ ~ ^",
    f"$(touch {OWNED}) `touch {OWNED}` ; touch {OWNED} | touch {OWNED}",
    f"$(shell touch {OWNED}) $$(touch {OWNED}) ${{{SECRET}}} ${SECRET} %{SECRET}%",
    f"${{{{ secrets.TOKEN }}}} ::set-output name=x::y %0a::add-mask::{OWNED}",
    f"!!python/object/apply:os.system ['touch {OWNED}']",
    "a: b, - c, ? d, &anchor *alias <<: | > @ ` # comment",
    "[link](javascript:alert) ![img](file:///etc/passwd) <https://a.b>",
    "<script>alert(1)</script> <!--=total_params--> <!-- --> ]]> &amp; <svg/onload=x>",
    "| a | b | --- # heading *bold* __init__ ~~no~~ ***",
    "../../../../etc/passwd ..\\..\\con C:\\x /dev/null ~root",
    "line one\nline two\r\n- line\tthree\n\n    indented\n```sh\nrm",
    "e\u0301\u0308\u0323 \U0001f600\U0001f3fd\u200d\U0001f52c \u200b\u00ad\ufeff \u00a0\u3000x",
    "日本語 العربية русский ∞ ≤ “quotes” — ½ ﬁ",
    "true", "null", "0x1F", "1e3", "2024-01-01", "~", "no", "con", "__proto__", "class",
    "=cmd|' /C calc'!A1 +1 -1 @SUM(1)",
    "\\", "\\\\", "\\n", "#", "%", "'", '"', "-", "...", "---",
)  # fmt: skip
"""Text that some language would obey, and text that it would mistake for something else."""

REFUSED = {
    "nul": "a\0b",
    "escape": "a\x1b[31mb",
    "bell": "a\x07",
    "override": "a\u202eb",
    "isolate": "a\u2066b",
    "line separator": "a\u2028b",
    "C1": "a\x85b",
    "surrogate": "a\ud800b",
    "noncharacter": "a\uffffb",
    "blank": " \n\t ",
    "too long": "x" * 100_000,
}
"""Text that no field takes."""


def payload(draw: random.Random, longest: int) -> str:
    """One to three payloads, or letters of all Unicode, of at most `longest` characters."""
    if draw.random() < 0.15:
        planes = (0x21, 0x7E), (0xA1, 0x2FF), (0x370, 0x5FF), (0x2100, 0x2BFF), (0x1F300, 0x1F6FF)
        letters = [chr(draw.randint(*draw.choice(planes))) for _ in range(draw.randint(1, 60))]
        return "".join(letters)[:longest]
    return " ".join(draw.sample(PAYLOADS, draw.randint(1, 3)))[:longest]


def poisoned(stated: dict[str, Any], text: Callable[[int], str]) -> dict[str, Any]:
    """`stated` with every free text replaced by `text(longest)`."""

    def name() -> str:
        return text(LONGEST_NAME)

    def names(count: int = 3) -> list[str]:
        return [name() for _ in range(count)]

    def filled(section: str, **values: Any) -> dict[str, Any]:
        return {**(stated.get(section) or {}), **values}

    training, architecture = stated.get("training") or {}, stated.get("architecture") or {}
    return stated | {
        "name": name(),
        "description": text(300),
        "task": filled("task", domain=name()),
        "training": training
        | {
            "data": {
                "sources": names(),
                "size": text(200),
                "governance": {"pii": text(200), "copyright": text(200)},
            },
            "alignment": {"method": names(), "policy": text(200)},
        },
        "architecture": architecture
        | {
            "components": [
                {"name": name(), "type": kind}
                for kind in ("transformer_encoder", "attention", name())
            ],
            "dims": {**(architecture.get("dims") or {}), "arch": name()},
        },
        "evaluation": {"benchmarks": names(), "baselines": names(), "metrics": names()},
        "reproducibility": filled("reproducibility", determinism=text(200)),
    }


class Marked:
    """Draws payloads behind marks of their own, by which they are found again."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.marks: list[str] = []

    def __call__(self, longest: int) -> str:
        mark = f"Zq{len(self.marks)}qZ"
        self.marks.append(mark)
        return mark + payload(self.draw, longest - len(mark))

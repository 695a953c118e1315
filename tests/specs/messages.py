"""What MSL makes of a corpus of documents, quantities and modalities, word for word.

`messages.txt` is what it said when somebody last read it through. A change of a message, of a
place or of an inference shows up there as a difference: look at it, then

    python -m tests.specs.messages --write
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from metagen.specs.errors import FieldError, Problem, SpecError, closest
from metagen.specs.loader import load_spec, load_text, parse
from metagen.specs.quantities import SCALES, describe, parse_quantity
from metagen.specs.reader import MAX_BYTES, read_bytes
from metagen.specs.vocabulary import INPUT, OBJECTIVE, OUTPUT, TASK

from ..records import Record

GOOD = 'metagen_version: "1.0"\nname: x\nmodality: {inputs: [text], outputs: [text]}\n'

DOCUMENTS = (
    b"", b"\n\n", b"\n\x07",
    b"a:\r\t- b\r", b"a: [\n\t1, @]\n",
    b"a: @\nbcd\t\n", b"a: 1\na: 2\nb: 3\n", b"a: &x y\n*x : 1\n",
    b"null\n", b"3\n", b"[]\n", b"[1]\n", b"text\n", b"{}\n", b"\xff",
    b"a: \xc3\xa9\nb: \xe9\n", b"\n\na: 1\n  b: \x80", b"\xef\xbb\xbf[1]", b"a: \x07\n",
    b"a: 1\nb: \xe2\x80\xa8\n", b"#" * MAX_BYTES, b"#" * (MAX_BYTES + 1), b"\t- a", b"a:\n\t- b\n",
    b"a:\n  b: 1\n\tc: 2\n", b"a: [1\n", b"a: {b: 1\n", b"a: 'b\n", b'a: "b\n', b"a: b: c\n",
    b"- a\nb: c\n", b"a: *b\n", b"a: &b 1\nc: *d\n", b"a: @b\n", b"a: %b\n",
    b"%YAML 9.9\n---\na: 1\n", b"%TAG\n", b"a: 1\n---\nb: 2\n", b"a: 1\n...\nb: 2\n",
    b"? [a]\n: 1\n", b"? {a: b}\n: 1\n", b"a: 1\na: 2\n", b"x:\n  a: 1\n  a: 2\n",
    b"[a, {b: 1, b: 2}]\n", b"<<: {a: 1}\n", b"'<<': {a: 1}\n",
    b"a: !!python/object:os.system x\n", b"a: !b c\n", b"!!map {a: 1}\n", b"a: !!str 1\n",
    b"a: ! 1\n", b"&a a: *a\n", b"&a 1: *a\n", b'{"a": 1, "a": 2}',
    b'{"a": "\\ud83d\\ude00", "b": 1}', b'{\n\t"a": [1,\n\t2]}', b'{"a": "\\ud83d"}', b"{a: 1",
    b'{"a": "x\ty", "a": 1}', b"a: 1\r\na: 2\r\n", b"a: |\n  text\n b: 1\n", b"1: a\n",
    b"true: a\n", b"~: a\n", b'"": a\n', b"a.b: 1\n", b"? |\n  a\n: 1\n",
    b"a: &x [1]\nb: *x\nc: [*x, *x]\n", b"a: b\x00\n", b"a: \xf0\x9f\x98\x80\n",
    b"[" * 30 + b"]" * 30, b"{a: " * 30 + b"1" + b"}" * 30, b"- 1\n" * 5000,
    b"a: [" + b"1," * 4996 + b"1]\n",
    b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    b"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n",
)  # fmt: skip
"""Whole files, most of which are not even YAML."""

LINES = (
    "", "name: [x]", "name: ''", "name: true", "name: 1.5", "name: 2020-01-02", "name: .nan",
    "name: ~", "name: {a: 1}", "name: []", "name: ' a\\tb '", 'name: "a\\tb\\nc"',
    'name: "a\\u202eb"', 'name: "a\\0b"', "name: " + "x" * 100, "name: " + "x" * 101,
    "description: " + "x" * 4000, "description: " + "x" * 4001, "nmae: x", "naem: x", "zzz: x",
    "seed: 1", "hardwre: x",
    "hardware: H100", "type: x", "inputs: text", "duration: 3 days", "1: x", "'': x",
    "metagen_version: 1", "metagen_version: '2.0'", "metagen_version: 0.9",
    "metagen_version: true", "metagen_version: [1]", "metagen_version: v1", "metagen_version: 1.0",
    "modality: text", "modality: []", "modality: {}", "modality: {inputs: text}",
    "modality: {outputs: text}", "modality: {inputs: [], outputs: []}",
    "modality: {inputs: [txet], outputs: [lable]}", "modality: {inputs: [zorgon], outputs: 3}",
    "modality: {inputs: [text, [text]], outputs: [text, null]}",
    "modality: {inputs: Image, outputs: TEXT}",
    "modality: {inputs: [taste, smell], outputs: [text]}",
    "modality: {inputs: {a: b}, outputs: [text, text]}", "modality: {input: text, outputs: text}",
    "task: generation", "task: {type: generate}", "task: {type: 3}", "task: {num_classes: 1}",
    "task: {num_classes: 2}", "task: {num_classes: 1.5}", "task: {num_classes: '1_000'}",
    "task: {num_classes: '0777'}", "task: {num_classes: true}", "task: {num_classes: 1e99}",
    "task: {horizon: 0}", "task: {horizon: -3}", "task: {horizon: 7.0}", "task: {horizon: 1e400}",
    "task: {domain: ''}", "constraints: {latency: &x soon, device: *x}",
    "constraints: 3", "constraints: []", "constraints: {device: toaster}",
    "constraints: {device: gpu}", "constraints: {latency: realtme}",
    "constraints: {latency: batch}", "constraints: {latency: [offline]}",
    "constraints: {parameter_budget: 20B}", "constraints: {parameter_budget: {max: 20 bananas}}",
    "constraints: {parameter_budget: {max: -1}}", "constraints: {parameter_budget: {min: 1}}",
    "constraints: {parameter_budget: {}}", "constraints: {parameter_budget: [1]}",
    "constraints: {memory_budget: 12Gb}", "constraints: {memory_budget: yes}",
    "constraints: {context_window: 1}", "constraints: {context_window: 128kb}",
    "constraints: {throughput: 30 fqs}", "constraints: {throughput: ∞}",
    "constraints: {throughput: 30}", "architecture: {dims: {a: 1e3, b: '2_0', c: 1.5E1}}",
    "architecture: {dims: {a: 9007199254740992.0, b: 9007199254740991.0, c: [1.0, 2e2]}}",
    "architecture: {dims: {a: 1e17, b: {c: 3.0}}}", "task: {num_classes: 1E3}",
    "constraints: {latency: x, device: y, memory_budget: z}",
    "constraints: {objective: x}", "training: {objective: []}", "training: {objective: {}}",
    "training: {objective: difusion}", "training: {objective: [autoregressive, autoregressive]}",
    "training: {compute: {hardware: 8xBanana}}", "training: {compute: {duration: -3 days}}",
    "training: {compute: 8xH100}", "training: {data: {governance: {pi: x}}}",
    "training: {data: {sources: [1]}}", "training: {data: {size: lots}}", "training: {data: 3}",
    "training: {alignment: 3}", "training: {zzz: 1}", "architecture: {family: resnet}",
    "architecture: {dims: [1]}", "architecture: {dims: {a: [x]}}",
    "architecture: {dims: {a: [1, 2.5]}}", "architecture: {dims: {a: []}}",
    "architecture: {dims: {a: {}}}", "architecture: {dims: {a: {b: [1]}}}",
    "architecture: {dims: {a: .inf}}", "architecture: {dims: {a: 9223372036854775808}}",
    "architecture: {dims: {a: 1e300}}", "architecture: {dims: {'': 1}}",
    "architecture: {dims: {a: ''}}", "architecture: {dims: {a: [true]}}",
    "architecture: {components: 3}", "architecture: {components: [3]}",
    "architecture: {components: [{name: A}]}", "architecture: {components: [{type: a}]}",
    "architecture: {components: [{name: A, type: a}, {name: A, type: b}]}",
    "architecture: {components: {name: A}}",
    "architecture: {components: [{name: A, type: a, zzz: 1}]}", "architecture: {components: []}",
    "evaluation: {metrics: [a, 2]}", "evaluation: {metrics: accuracy}",
    "evaluation: {benchmarks: [{}]}", "evaluation: {metrics: [" + "a, " * 256 + "a]}",
    "outputs: {artifacts: [papr]}", "outputs: {artifacts: []}", "outputs: {artifacts: paper}",
    "outputs: paper", "reproducibility: {seed: -1}", "reproducibility: {seed: 1:30}",
    "reproducibility: {seed: .nan}", "reproducibility: {seed: 4294967296}",
    "reproducibility: {seed: 4294967295}", "reproducibility: {determinism: maybe}", "tone: x",
    "tone: {voice: x}", "tone: {humor_level: 11}", "$schema: x",
    "task: {" + ", ".join(f"a{i}: 1" for i in range(60)) + "}",
    "constraints:\n  device: cpu\n  device: edge\n  parameter_budget: 20B\n",
)  # fmt: skip
"""Lines that follow, or replace, those of a good document."""

QUANTITIES = (
    "0", "-0", "1", "-1", "+5", "007", "1.", ".5", "1.5", "1e3", "1E+3", "1e-3", "1e9999", "1_000",
    "1__0", "1,5", "∞", "inf", ".inf", "+inf", "-inf", "Unlimited", "nan", "", "   ", "x", "12",
    "12 ", "12x", "12 zorgons", "1K", "1 k", "1M", "1m", "1B", "1b", "1T", "1G", "1g", "1gb",
    "1GB", "1Gb", "1gB", "1MB", "1mb", "1kB", "1KB", "1TB", "1PB", "1KiB", "1kib", "1MIB", "1GiB",
    "1TiB", "1.5GiB", "1234GB", "1536", "2047", "2048", "999", "1000", "1000B", "1001B", "12 gig",
    "3 bytes", "0.4", "0.5", "0.6", "1e-7", "0.0000004", "20 billion", "20 Billions", "3 mn",
    "3bn", "4 thousand params", "4k tokens", "4 tok", "4kb", "3 b", "128 K  tokens", "1e15",
    "1000000000000001", "1e18", "1000000000000000001", "1e40", "1099511627776", "1099511627777",
    "30fps", "30 f/s", "30FPS", "30 fqs", "30 kfps", "30Kfps", "2M tok/s", "2 tokens per second",
    "2 tokens/sec", "2 it/s", "2 persecond", "2 tokens pers", "7 img / s", "1e12 fps",
    "1000000000001 fps",
    "0.0000001 fps", "29.97fps", "1/3 fps", "8xH100", "8 x H100", "8×h100", "8*H100", "8 H100",
    "8H100", "H100", "h-100", "0xH100", "-1xH100", "08xH100", "1_000xH100", "1000000xH100",
    "1000001xH100", "8xBanana", "8xH10", "RTX 4090", "rtx4090", "4 x TPUv5e", "8", "8.5", "-8",
    "1 s", "1 sec", "90 seconds", "60s", "1 min", "2 minutes", "1 hour", "36 hours", "1 day",
    "2 weeks", "1 month", "1 year", "100 years", "101 years", "36500 days", "36501 days",
    "1h 30min", "1h30m", "1h, 30 min", "1h 30 zorgs", "1.5 days", "0.1s", "1 dayz", "3 fortnights",
    "h", "16kHz", "16 khz", "44.1kHz", "44100", "1 Hz", "999Hz", "1MHz", "1GHz", "1e9",
    "1000000001", "16k", "16 kHertz", "1" * 60, "1" * 61, "1" * 59 + "K", "5e-1 K", "1.0000001s",
    "1.00000049s", "0.333333333 fps", "1 000", "1 K B", "1KK", "K", "1\tK", "1\nK", "٣", "１",
)  # fmt: skip
"""Spellings, each read in every dimension."""

VALUES = (
    0, 1, -1, 7.5, 2.5e-9, 1e300, float("inf"), float("nan"), 10**59, 10**60, True, None, [1], b"1",
)  # fmt: skip


def documents() -> Iterator[tuple[str, str]]:
    for raw in DOCUMENTS:
        yield _shown(raw), _said(lambda raw=raw: _read(raw))


def lines() -> Iterator[tuple[str, str]]:
    for line in LINES:
        field = line.split(":")[0].strip("'\"")
        kept = [row for row in GOOD.splitlines() if not row.startswith(f"{field}:")]
        text = "\n".join([*kept, line]) + "\n"
        yield line[:200], _said(lambda text=text, field=field: _resolved(text, field))


def sources() -> Iterator[tuple[str, str]]:
    half = {"metagen_version": "1.0", "name": "x", "modality": {"inputs": "text"}}
    for mapping in ({}, 3, None, half):
        yield f"parse {mapping!r}", _said(lambda mapping=mapping: parse(mapping, "answers"))
    for raw in (GOOD, GOOD + "seed: 1\n", "#" * MAX_BYTES, "#" * (MAX_BYTES + 1), "#" * 9**7):
        yield f"standard input of {len(raw)} bytes", _said(lambda raw=raw: _piped(raw))
    yield "load_spec of a mapping", _said(lambda: load_spec(half | {"name": 3}))
    yield "load_text", _said(lambda: load_text("a: 1\na: 2\n", "answers.yaml"))
    document = read_bytes(b"a: {b: [1, {c: 2}]}\nd: 3\n", "spec")
    for path in (
        "",
        "a",
        "a.b",
        "a.b[0]",
        "a.b[1].c",
        "a.b[1].z.y",
        "a.b[7]",
        "a.z",
        "d.e[0]",
        "z",
    ):
        yield f"place of {path!r}", _told(document.place(Problem(path, "is wrong")))
    yield "a flag", _told(Problem("--seed", "is wrong"))
    for letters in (59, 60, 61):
        yield f"closest to {letters} letters", str(closest("x" * letters, ["x" * 58 + "yz"]))
    yield "place that is known", _told(document.place(Problem("d", "is wrong", line=9, column=9)))
    for name in ("", " ", "text_llm_8c", "nowhere.yaml", "/", "a\0b", "zorgon", "x" * 300):
        yield f"load {name[:20]!r}", _said(lambda name=name: load_spec(name))


def quantities() -> Iterator[tuple[str, str]]:
    for dimension in (*SCALES, "rate", "hardware"):
        yield dimension, describe(dimension)
        for raw in (*QUANTITIES, *VALUES):
            asked = json.dumps(raw) if isinstance(raw, str) else repr(raw)[:70]
            yield f"{dimension} {asked}", _quantity(raw, dimension)


def inferences() -> Iterator[tuple[str, str]]:
    for inputs, outputs in itertools.product(INPUT.words, OUTPUT.words):
        yield f"{inputs} -> {outputs}", _said(lambda i=inputs, o=outputs: _inferred([i], [o]))
    for inputs, outputs, more in _mixtures():
        asked = f"{', '.join(inputs)} -> {', '.join(outputs)} {more}"
        yield asked, _said(lambda i=inputs, o=outputs, m=more: _inferred(i, o, **m))


def _mixtures() -> Iterator[tuple[list[str], list[str], dict]]:
    for objective in OBJECTIVE.words:
        for word in ("text", "image", "audio", "state", "tabular", "graph", "time_series"):
            yield [word], ["label"], {"training": {"objective": [objective]}}
        yield ["text"], ["image"], {"training": {"objective": [objective, "autoregressive"]}}
    for task in TASK.words:
        yield ["text", "image"], ["text", "audio", "video"], {"task": {"type": task}}
    yield ["text", "image", "audio"], ["text"], {}
    yield ["image", "text"], ["video", "audio"], {"constraints": {"throughput": 30}}
    yield ["image"], ["label", "text"], {"task": {"domain": "birds"}, "description": "Mine."}
    yield ["text"], ["label"], {"constraints": {"throughput": 4, "context_window": "1k"}}


def _inferred(inputs: list[str], outputs: list[str], **more: object) -> str:
    modality = {"inputs": inputs, "outputs": outputs}
    spec = parse({"metagen_version": "1.0", "name": "x", "modality": modality, **more}).resolved()
    task, constraints = spec["task"], spec["constraints"]
    objective = ", ".join(spec["training"]["objective"])
    kept = [spec["description"], task["type"], task["domain"], spec["architecture"]["family"]]
    limits = [str(constraints.get(name)) for name in ("context_window", "throughput")]
    return " | ".join([*kept, objective, *limits])


def _piped(text: str) -> str:
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()))):
        return load_spec("-").name


def _told(problem: Problem) -> str:
    return str(SpecError([problem]))


def _read(raw: bytes) -> str:
    document = read_bytes(raw, "spec")
    assert all(isinstance(problem.path, str) for problem in document.problems)
    said = str(SpecError(document.problems, "spec")) + "\n" if document.problems else ""
    places = {".".join(map(str, at)): place for at, place in [*document.keys.items()][:9]}
    return said + json.dumps(document.data, ensure_ascii=False)[:200] + f" keys {places}"


def _resolved(text: str, field: str) -> str:
    document = read_bytes(text.encode(), "spec.yaml")
    spec = parse(document.data, "spec.yaml", document)
    resolved = spec.resolved()
    shown = (spec.stated, resolved.get(field, ""))
    return " -> ".join(json.dumps(each, ensure_ascii=False)[:900] for each in shown)


def _said(ask: Callable[[], object]) -> str:
    try:
        return str(ask())
    except SpecError as error:
        assert all(isinstance(problem.path, str) for problem in error.problems)
        return str(error)


def _quantity(raw: object, dimension: str) -> str:
    try:
        read = parse_quantity(raw, dimension)
    except FieldError as error:
        allowed = "as ever" if error.allowed == describe(dimension) else error.allowed
        return f"  {error.message} | {allowed} | {error.suggestion}"
    return f"  {read.value!r} {read.unit} = {read.text}"


def _shown(raw: bytes) -> str:
    return repr(raw)[1:] if len(raw) < 120 else f"{raw[:40]!r} … {len(raw)} bytes"


RECORD = Record(
    Path(__file__).with_name("messages.txt"), (documents, lines, sources, quantities, inferences)
)

if __name__ == "__main__":
    RECORD.main(__doc__)

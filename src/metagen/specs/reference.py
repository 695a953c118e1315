"""What the models know, for editors and readers: the JSON Schema and the reference tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..synth.dims import Dim
from ..synth.topologies import TOPOLOGIES
from . import vocabulary as v
from .quantities import RATE_UNITS, SCALES
from .schema import ModelSpec

#: The closed vocabularies, by the headings of their tables.
VOCABULARIES = {
    "Modalities": v.OUTPUT,
    "`task.type`": v.TASK,
    "`training.objective`": v.OBJECTIVE,
    "`architecture.family`": v.FAMILY,
    "`architecture.precision`": v.PRECISION,
    "`constraints.latency`": v.LATENCY,
    "`constraints.device`": v.DEVICE,
    "`outputs.artifacts`": v.ARTIFACT,
}
FEW = 5  # words that stand in a cell; more are listed in a table of their own

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LANGUAGE = "MetaGen model specification (MSL) 1.0"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a specification, Draft 2020-12, with every section in place.

    It accepts canonical words and their synonyms, and is stricter than the parser only where that
    folds case or separators.
    """
    raw = ModelSpec.model_json_schema(by_alias=True)
    schema = _tidy(raw, raw["$defs"])
    dims = schema["properties"]["architecture"]["properties"]["dims"]
    tables = [topology.table for topology in TOPOLOGIES.values()]
    dims["properties"] = {n: _dims_schema(n, tables) for table in tables for n in table}
    dims["properties"]["moe"] = {
        "description": "The dimensions of a mixture of experts, gathered as published ones are.",
        "type": "object",
    }
    link = {"type": "string", "description": "The address of this schema, for editors."}
    return {
        "$schema": DIALECT,
        "title": LANGUAGE,
        **schema,
        "properties": {**schema["properties"], "$schema": link},
    }


def field_tables() -> str:
    """Return a Markdown section for every part of the document, with a table of its fields."""
    return "\n".join(_tables(json_schema()))


def vocabulary_tables() -> str:
    """Return a Markdown section for every closed vocabulary: words, meanings, synonyms."""
    lines = []
    for title, vocabulary in VOCABULARIES.items():
        lines += [f"### {title}", "", "| word | meaning | synonyms |", "|---|---|---|"]
        for word, meaning in vocabulary.words.items():
            if vocabulary is v.OUTPUT and word not in v.INPUT.words:
                meaning += " (outputs only)"
            synonyms = ", ".join(f"`{a}`" for a, w in vocabulary.aliases.items() if w == word)
            lines.append(f"| `{word}` | {meaning} | {synonyms} |")
        lines.append("")
    return "\n".join(lines)


def dims_table() -> str:
    """Return Markdown tables of the dimensions that can be pinned, one for each topology."""
    lines = []
    for topology in TOPOLOGIES.values():
        lines += [f"### `{topology.id}`: {topology.phrase}", ""]
        lines += ["| dimension | allowed | meaning |", "|---|---|---|"]
        for name, dim in topology.table.items():
            lines.append(f"| `{name}` | {_range(_dim_schema(dim))} | {dim.doc} |")
        lines.append("")
    return "\n".join(lines)


def approximation_table() -> str:
    """Return a Markdown table of the approximated modalities and what stands in for each."""
    rows = [f"| `{word}` | `{used}` |" for word, used in v.APPROXIMATED.items()]
    return "\n".join(["| modality | approximated by |", "|---|---|", *rows, ""])


def quantity_table() -> str:
    """Return a Markdown table of the units of every dimension."""
    lines = ["| dimension | allowed | examples |", "|---|---|---|"]
    for dimension, scale in SCALES.items():
        examples = ", ".join(f"`{example}`" for example in scale.examples)
        lines.append(f"| {dimension} | {scale.allowed} | {examples} |")
    for unit, spellings in RATE_UNITS.items():
        examples = ", ".join(f"`{spelling}`" for spelling in spellings)
        lines.append(f"| rate | a number with {unit} | {examples} |")
    lines.append("| hardware | a count and an accelerator | `8xH100`, `4 x RTX 4090`, `A100` |")
    return "\n".join([*lines, ""])


def _dims_schema(name: str, tables: Sequence[Mapping[str, Dim]]) -> dict[str, Any]:
    """What a dimension may be in any topology; the first description stands for all."""
    found = [_dim_schema(table[name]) for table in tables if name in table]
    shared = {"description": found[0]["description"]}
    if all("enum" in schema for schema in found):
        return shared | {"enum": list(dict.fromkeys(w for schema in found for w in schema["enum"]))}
    kinds = {schema.get("type") for schema in found}
    if len(kinds) == 1 and kinds <= {"integer", "number"}:
        least, most = (f(s[k] for s in found) for f, k in ((min, "minimum"), (max, "maximum")))
        return {**shared, **found[0], "minimum": least, "maximum": most}
    distinct = [{k: v for k, v in s.items() if k != "description"} for s in found]
    distinct = [s for i, s in enumerate(distinct) if s not in distinct[:i]]
    return shared | (distinct[0] if len(distinct) == 1 else {"anyOf": distinct})


def _dim_schema(dim: Dim) -> dict[str, Any]:
    if dim.choices:
        return {"description": dim.doc, "enum": list(dim.choices)}
    if dim.kind == "bool":
        return {"description": dim.doc, "type": "boolean"}
    if dim.kind == "list":
        return {"description": dim.doc, "type": "array", "items": {"type": "integer"}}
    kind = "number" if dim.kind == "float" else "integer"
    bounded = {"type": kind, "minimum": dim.low, "maximum": dim.high}
    return {"description": dim.doc, **bounded}


def _range(schema: Mapping[str, Any]) -> str:
    """What a dimension may be: words, a range, or a list of whole numbers."""
    kind = schema.get("type")
    words = schema.get("enum") or ["true", "false"] * (kind == "boolean")
    if words:
        return ", ".join(f"`{word}`" for word in words)
    if kind == "array":
        return "whole numbers"
    shown = "{:g}" if kind == "number" else "{:,}"
    return f"{shown.format(schema['minimum'])} – {shown.format(schema['maximum'])}"


def _tidy(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Put definitions in place, drop generated titles, and write defaults as an author would."""
    if isinstance(node, list):
        return [_tidy(item, definitions) for item in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    tidy = {}
    for key, value in node.items():
        if key == "properties":
            tidy[key] = {name: _tidy(field, definitions) for name, field in value.items()}
        elif key == "default":
            if value is not None:
                tidy[key] = value
        elif key not in ("title", "$defs"):
            tidy[key] = _tidy(value, definitions)
    return tidy


def _tables(holder: Mapping[str, Any], path: str = "") -> Iterator[str]:
    fields = {k: f for k, f in holder["properties"].items() if not k.startswith("$")}
    sections = {name: field for name, field in fields.items() if _inside(field)}
    rows = {name: field for name, field in fields.items() if field.get("type") != "object"}
    rows |= {name: field for name, field in fields.items() if name not in sections}
    if rows:
        head = ("field", "type", "default", "allowed", "example", "meaning")
        yield from (f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    for name in (name for name in fields if name in rows):
        field, required = fields[name], name in holder.get("required", ())
        default = "required" if required else _default(field)
        cells = (f"`{name}`", _kind(field), default, _allowed(field, name), _example(field))
        yield f"| {' | '.join((*cells, field['description']))} |"
    if rows:
        yield ""
    for name, field in sections.items():
        inner = f"{path}.{name}" if path else name
        yield from (f"### `{inner}`", "", field["description"], "")
        yield from _tables(_inside(field), inner)


def _inside(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the section that a field holds, alone or as the items of a list."""
    held = field.get("items", field)
    return held if held.get("additionalProperties") is False else {}


def _default(field: Mapping[str, Any]) -> str:
    if "default" in field:
        default = field["default"]
        if isinstance(default, list) and default and isinstance(default[0], dict):
            return ", ".join(f"`{item['name']}`" for item in default)
        items = default if isinstance(default, list) else [default]
        return ", ".join(f"`{item}`" for item in items)
    return "inferred" if field.get("x-inferred") else "–"


def _kind(field: Mapping[str, Any]) -> str:
    """The type of a field, in a word or two."""
    item = _item(field)
    if item is not field:
        return f"list of {_kind(item)}s"
    if "pattern" in field or "anyOf" in field:
        return "quantity"
    if "enum" in field:
        return "word"
    types = {"integer": "whole number", "array": "list", "object": "mapping"}
    return types.get(field["type"], "text")


def _item(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a list holds, or the field itself where it is none."""
    options = field.get("anyOf", [])
    return options[0]["items"] if options and options[0].get("type") == "array" else field


def _allowed(field: Mapping[str, Any], name: str) -> str:
    """What a field may say: words, a range, or where that stands."""
    item = _item(field)
    if "enum" in item:
        return _words(item["enum"])
    if name == "dims":
        return "[names and values](#dimensions)"
    kind = _kind(item)
    if kind == "whole number":
        return f"{item['minimum']:,} – {item['maximum']:,}"
    return {
        "quantity": "[a number and a unit](#quantities)",
        "list": "names and types",
    }.get(kind, "anything, on one line")


def _words(enum: Sequence[Any]) -> str:
    """The words of a vocabulary, or a link to its table where there are many."""
    for title, vocabulary in {**VOCABULARIES, "`modalities`": v.INPUT}.items():
        if vocabulary.json_schema()["enum"] == list(enum):
            if len(vocabulary.words) <= FEW:
                return ", ".join(f"`{word}`" for word in vocabulary.words)
            anchor = title.strip("`").replace(".", "").lower()
            return f"[{len(vocabulary.words)} words](#{anchor})"
    return ", ".join(f"`{word}`" for word in enum if isinstance(word, str))


def _example(field: Mapping[str, Any]) -> str:
    """The first example of a field as its author would write it, or its default, or a word."""
    item = _item(field)
    found = [*field.get("examples", ()), *([field["default"]] if "default" in field else ())]
    found = found or item.get("examples") or item.get("enum", [])
    return f"`{_flow(found[0])}`"


def _flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value[:2])) + (", …]" if len(value) > 2 else "]")
    return f'"{value}"' if isinstance(value, str) else str(value)

"""What the models know, for editors and readers: the JSON Schema and the reference tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..synth.dims import Dim
from ..synth.topologies import TOPOLOGIES
from . import vocabulary as v
from .quantities import RATE_UNITS, SCALES
from .reader import MAX_BYTES
from .schema import ModelSpec

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


def reference() -> str:
    """Return the reference page of MSL in Markdown, for `docs/spec_language.md`."""
    return _PAGE.format(
        fields=field_tables(),
        quantities=quantity_table(),
        vocabularies=vocabulary_tables(),
        approximated=approximation_table(),
        dims=dims_table(),
        largest_file=MAX_BYTES // 1024,
    )


def field_tables() -> str:
    """Return a Markdown section for every part of the document, with a table of its fields."""
    return "\n".join(_tables(json_schema()))


def vocabulary_tables() -> str:
    """Return a Markdown section for every closed vocabulary: words, meanings, synonyms."""
    vocabularies = {
        "Modalities": v.OUTPUT,
        "`task.type`": v.TASK,
        "`training.objective`": v.OBJECTIVE,
        "`architecture.family`": v.FAMILY,
        "`architecture.precision`": v.PRECISION,
        "`constraints.latency`": v.LATENCY,
        "`constraints.device`": v.DEVICE,
        "`outputs.artifacts`": v.ARTIFACT,
    }
    lines = []
    for title, vocabulary in vocabularies.items():
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
            allowed = _dim_schema(dim)
            words = allowed.get("enum") or ["true", "false"] * (allowed.get("type") == "boolean")
            listed = ", ".join(f"`{word}`" for word in words) or "a number"
            lines.append(f"| `{name}` | {listed} | {dim.doc} |")
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
        yield from ("| field | value | default | meaning |", "|---|---|---|---|")
    for name in (name for name in fields if name in rows):
        field, required = fields[name], name in holder.get("required", ())
        default = "required" if required else _default(field)
        yield f"| `{name}` | {_kind(field)} | {default} | {field['description']} |"
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
    options = field.get("anyOf", [])
    if options and options[0].get("type") == "array":
        return f"list of {_kind(options[0]['items'])}s"
    if "pattern" in field or options:
        examples = ", ".join(f"`{example}`" for example in field.get("examples", [])[:2])
        return f"quantity: {examples}"
    if "enum" in field:
        return "word"
    if field.get("type") == "integer":
        return f"{field['minimum']:,} – {field['maximum']:,}"
    return {"array": "list", "object": "mapping"}.get(field["type"], "text")


_PAGE = """\
# The specification language

A specification is one YAML or JSON document. Three fields make a valid one; everything else has
a default, or is inferred where a constant would be absurd.

```yaml
metagen_version: "1.0"
name: "text_llm_8b"
modality: {{inputs: ["text"], outputs: ["text"]}}
```

`metagen validate spec.yaml` checks a document, `metagen estimate spec.yaml` says what follows from
it, and `metagen schema` prints its JSON Schema. An editor that speaks the YAML language server
completes and checks as you type, given this first line:

```yaml
# yaml-language-server: $schema=msl.schema.json
```

## How a document is read

- Unknown fields are errors, at any depth. A field left empty counts as not stated.
- Words of a vocabulary are matched without regard to case, to `-`, `_` and blanks, or to a plural
  `s`; synonyms are understood. What is written back is always the word itself.
- A list of one may be written without its brackets; a bare `parameter_budget` is its `max`.
- Free text is one line: blanks and line breaks fold into single blanks. Text that looks like a
  number wants quotes, except for `metagen_version`.
- Plain scalars follow YAML 1.2, as in JSON: `yes`, `no` and dates are text.
- Aliases are expanded; merge keys and tags are refused, as are a second document, and files beyond
  {largest_file} KiB.
- All of a document's errors are reported at once, each with its line and column.

## Fields

{fields}
## Quantities

A quantity is a number and a unit, with or without a blank between them; a bare number is in the
base unit (parameters, bytes, tokens, seconds, hertz). Underscores may group digits. Zero,
negative numbers, NaN and unknown units are errors. Parameters and bytes are decimal, with `GiB`
and its kin for powers of two; `k` and `M` of a context are 1024 and 1024².

{quantities}
## Vocabularies

{vocabularies}
## Approximated modalities

Some words name modalities of another world. They are accepted and approximated by a supported
one: the command line warns, the model card and the limitations say so, and the repository works.
A word that is neither supported nor on this list is an error.

{approximated}
## Dimensions

`architecture.dims` pins any of the solver's dimensions. These are those of language models; pinned
dimensions beat the parameter budget, which is then reported as unsatisfied.

{dims}"""

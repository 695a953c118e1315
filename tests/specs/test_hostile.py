"""Documents nobody should send: refused clearly, quickly and in little memory."""

from __future__ import annotations

import os
import sys
import textwrap
import time

import pytest
import yaml

from metagen.specs import reader
from metagen.specs.errors import UNPRINTABLE, SpecError
from metagen.specs.loader import load_spec, load_text, parse

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)

HOSTILE = {
    "empty": (b"", "the document is empty"),
    "blank": (b" \n\n", "the document is empty"),
    "comment": (b"# nothing\n", "the document is empty"),
    "null": (b"~", "the document is empty"),
    "list": (b"- a\n- b\n", "a list is not a specification"),
    "text": (b"hello", '"hello" is not a specification'),
    "json list": (b"[1, 2]", "a list is not a specification"),
    "utf-16": ("name: x".encode("utf-16"), "byte 0xff is not UTF-8 text"),
    "latin-1": (b"name: caf\xe9", "byte 0xe9 is not UTF-8 text"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00", "byte 0x89 is not UTF-8 text"),
    "nul": (b"name: a\x00b", "the character U+0000"),
    "escape": (b"name: \x1b[31m", "the character U+001B"),
    "too large": (b"#" * (reader.MAX_BYTES + 1), "the file is too large"),
    "tab": (b"modality:\n\tinputs: [text]\n", "a tab indents this line"),
    "two documents": (b"name: x\n---\nname: y\n", "a second document starts here"),
    "alias bomb": (BOMB.encode(), "aliases expand to too many parts"),
    "cycle": (b"name: &a [*a]\n", "the alias *a refers to nothing before it"),
    "unknown alias": (b"name: *a\n", "the alias *a refers to nothing before it"),
    "python tag": (b"name: !!python/object/apply:os.system [id]\n", "is a tag"),
    "binary tag": (b"name: !!binary aGk=\n", "is a tag"),
    "merge key": (b"<<: {name: x}\n", "merge keys are not part of MSL"),
    "list key": (b"? [a]\n: b\n", "a list or a mapping is no field name"),
    "deep list": (b"[" * 50_000, "nested too deeply"),
    "deep mapping": (b'{"a":' * 50_000, "nested too deeply"),
    "deep block": (b"- " * 50_000, "nested too deeply"),
    "wide": (b"a: [" + b"x," * 6000 + b"]", "too many parts"),
    "many keys": (b"".join(b"k%d: 1\n" % i for i in range(5000)), "too many parts"),
    "unclosed": (b"name: [a, b\n", "not YAML: "),
    "unquoted": (b'name: "abc\n', "not YAML: "),
    "directive": (b"%YAML 9.9\n---\nname: x\n", "not YAML: "),
    "at sign": (b"@name: x\n", "not YAML: "),
    "lone surrogate": (b'{"name": "\\ud800"}', "not YAML: "),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_a_reason(refuse, name):
    content, reason = HOSTILE[name]
    started = time.perf_counter()
    error = refuse(content)
    assert time.perf_counter() - started < 1
    assert any(reason in problem.message for problem in error.problems), str(error)
    assert all(problem.line for problem in error.problems) or name == "too large"


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_without_libyaml_too(refuse, name, monkeypatch):
    import yaml

    monkeypatch.setattr(reader, "_Loader", yaml.SafeLoader)
    content, reason = HOSTILE[name]
    if name == "lone surrogate":  # which only libyaml refuses as syntax
        reason = "U+D800"
    error = refuse(content)
    assert any(reason in problem.message for problem in error.problems), str(error)


def test_the_two_parsers_agree(canonical, monkeypatch):
    import yaml

    fast = reader.read_document(canonical, "s")
    monkeypatch.setattr(reader, "_Loader", yaml.SafeLoader)
    slow = reader.read_document(canonical, "s")
    assert fast == slow


def test_files_that_cannot_be_read(tmp_path):
    def reason(path):
        with pytest.raises(SpecError) as caught:
            load_spec(path)
        (problem,) = caught.value.problems
        return problem

    missing = reason(tmp_path / "text_llm_8.yaml")
    assert missing.message == "no such file"
    assert missing.suggestion == "text_llm_8b"
    assert '"-", or one of ' in missing.allowed
    assert reason(tmp_path).message == "this is a directory"
    assert reason("a\0b").message.startswith("cannot be read")
    assert reason("x" * 5000).message.startswith("cannot be read")
    if os.path.exists("/dev/zero"):
        assert reason("/dev/zero").message == "the file is too large"
    if os.geteuid():
        secret = tmp_path / "secret.yaml"
        secret.write_text("name: x")
        secret.chmod(0)
        assert reason(secret).message.startswith("cannot be read")


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_data_that_is_no_mapping(data):
    with pytest.raises(SpecError, match="is not a specification|the document is empty"):
        parse(data)


def test_text_that_is_too_large():
    with pytest.raises(SpecError, match="the file is too large"):
        load_text("#" * (reader.MAX_BYTES + 1))


@pytest.mark.parametrize("components", ["x", {"name": "x"}, 1, [{"name": "x", "type": "y"}] * 257])
def test_lists_that_are_none_or_too_long(make, components):
    with pytest.raises(SpecError, match="is not a list|a list of 257 items"):
        make(architecture={"components": components})


def test_duplicates_are_errors_at_every_depth(refuse):
    error = refuse("name: x\nmodality:\n  inputs: text\n  inputs: image\nname: y\n")
    repeated = [(p.path, p.line, p.column) for p in error.problems if "already" in p.message]
    assert repeated == [("modality.inputs", 4, 3), ("name", 5, 1)]
    with pytest.raises(SpecError):
        load_text('{"a": 1, "a": 2}')


def test_aliases_within_reason():
    data = load_text("a: &a [1, 2]\nb: *a\nc: {d: *a}\n")
    assert data == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}
    assert data["a"] is not data["b"]


def test_a_repeated_anchor_means_the_latest():
    assert load_text("a: &x 1\nb: &x 2\nc: *x\n")["c"] == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1_000", 1000),
        ("0777", "0777"),
        ("0x1F", "0x1F"),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("9" * 50, "9" * 50),
        ("1e999", "1e999"),
    ],
)
def test_plain_scalars(written, read):
    found = load_text(f"a: {written}\n")["a"]
    assert (found, type(found)) == (read, type(read))


def test_other_line_ends_and_a_byte_order_mark(refuse):
    assert load_text("\ufeffa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}
    error = refuse(b'\xef\xbb\xbfmetagen_version: "1.0"\r\nname: 3\r\nmodality: 4\r\n')
    assert [(p.line, p.column) for p in error.problems] == [(2, 7), (3, 11)]


def test_positions_in_json(refuse):
    text = '{"metagen_version": "1.0",\t"description": "\\ud83d\\ude00", "name": 5,\n\t"seed": 1}'
    found = {p.path: (p.line, p.column) for p in refuse(text, "bad.json").problems}
    assert found["name"] == (1, text.index("5,") + 1)
    assert found["seed"] == (2, 2)


def test_memory_and_time_of_the_worst(tmp_path, measured):
    """Every hostile document in one fresh process: under 200 MB."""
    for index, (content, _) in enumerate(HOSTILE.values()):
        (tmp_path / f"{index}.yaml").write_bytes(content)
    script = f"""
        import pathlib
        from metagen.specs.loader import SpecError, load_spec
        for path in pathlib.Path({str(tmp_path)!r}).iterdir():
            try:
                load_spec(path)
            except SpecError as error:
                str(error)
    """
    done = measured([sys.executable, "-c", textwrap.dedent(script)])
    assert done.status == 0, done.err
    assert done.peak < 200 * 10**6


def test_every_character_that_is_let_through_is_one_of_yaml():
    """So that the only errors of the YAML library are those that have a place."""
    refused = yaml.reader.Reader.NON_PRINTABLE
    letters = (chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    assert [c for c in letters if refused.match(c) and not UNPRINTABLE.match(c)] == []

"""The figures: what they say is in the blueprint, nothing is cut off, and bytes repeat."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from metagen import load_spec, plan
from metagen.blueprint_files import write_blueprint

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "template" / "blueprint"
EXAMPLES = sorted((ROOT / "examples" / "specs").rglob("*.yaml"))
NAMES = {"ablation", "benchmarks", "memory", "parameters", "pipeline", "roofline"}
HOSTILE = (
    "a $\\frac{x}{y}$ $$ \\input{x} <!--=d--> ]]> <script>alert(1)</script> & \"q\" 'q' {0} %s",
    "W" * 95,
    "e\u0301\u0308 \U0001f600\U0001f3fd\u200d\U0001f52c \u200b\u00ad\ufeff 日本 العربية \u05d0 ∞",
    "</svg><svg onload=x> ]]> <?php ?> \\ --",
)


def hostile_document() -> dict[str, Any]:
    """A specification whose every word that reaches a figure is an attack."""
    components = [
        {"name": HOSTILE[i % 4], "type": kind}
        for i, kind in enumerate(("objective_mixer", "attention", "attention", "attention"))
    ]
    return {
        "name": HOSTILE[0],
        "description": HOSTILE[1],
        "task": {"domain": HOSTILE[2]},
        "architecture": {"components": components},
        "evaluation": {
            "benchmarks": [*HOSTILE[1:], *(f"bench {i}" for i in range(5))],
            "baselines": [HOSTILE[i % 4] + str(i) for i in range(9)],
        },
    }


@pytest.fixture(scope="module")
def drawing() -> Iterator[SimpleNamespace]:
    """The modules that draw, as a generated repository's `draw.py` imports them."""
    sys.path.insert(0, str(TEMPLATES))
    try:
        import draw
        import ink
        import pipeline

        ink.settle()
        yield SimpleNamespace(draw=draw, ink=ink, pipeline=pipeline)
    finally:
        sys.path.remove(str(TEMPLATES))


def write(release, folder: Path) -> Path:
    (folder / "blueprint").mkdir(parents=True)
    for name in ("docs", "paper"):
        (folder / name).mkdir()
    write_blueprint(release, TEMPLATES, folder / "blueprint")
    return folder


def draw(folder: Path, *flags: str, **environment: str) -> dict[str, bytes]:
    """The figures that the repository's own script draws, by path."""
    script = folder / "blueprint" / "draw.py"
    run = subprocess.run(
        [sys.executable, script, *flags],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    return {line: Path(line).read_bytes() for line in run.stdout.splitlines()}


@pytest.fixture(scope="module", params=["confident", "plain", "hostile"])
def drawn(release_of, request, tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    """A folder with a blueprint, and what was drawn from it."""
    hostile = request.param == "hostile"
    voice = "confident" if hostile else request.param
    release = release_of(voice, **(hostile_document() if hostile else {}))
    folder = write(release, tmp_path_factory.mktemp(request.param) / "repository")
    return folder, draw(folder)


# -- which, and alike ------------------------------------------------------------------------------


def test_figures_are_those_that_there_are_data_for(drawn):
    folder, files = drawn
    simulated = (folder / "blueprint" / "benchmarks.json").exists()
    names = NAMES if simulated else NAMES - {"benchmarks"}
    expected = {f"docs/figures/{name}.svg" for name in names}
    expected |= {f"paper/figures/{name}.pdf" for name in names}
    assert {Path(path).relative_to(folder).as_posix() for path in files} == expected


def test_figures_are_drawn_alike_everywhere(drawn):
    folder, files = drawn
    for seed, locale, zone in (("0", "C", "UTC"), ("4711", "de_DE.UTF-8", "Asia/Tokyo")):
        assert draw(folder, PYTHONHASHSEED=seed, LC_ALL=locale, TZ=zone) == files
    for name, content in files.items():
        assert b"CreationDate" not in content and b"dc:date" not in content, name
        assert str(folder).encode() not in content, name


def test_figures_go_where_they_are_asked_for(release, tmp_path):
    folder = write(release, tmp_path / "a")
    files = draw(folder, "--out", str(tmp_path / "b"), "--paper")
    assert {Path(path).parent for path in files} == {tmp_path / "b" / "paper" / "figures"}
    (folder / "blueprint" / "ablations.yaml").unlink()
    (folder / "blueprint" / "benchmarks.json").unlink()
    files = draw(folder, "--out", str(tmp_path / "c"), "--docs")
    names = NAMES - {"ablation", "benchmarks"}
    assert {Path(path).name for path in files} == {f"{name}.svg" for name in names}


# -- what they say ---------------------------------------------------------------------------------

NUMBER = re.compile(r"[−+]?\d[\d.,]*(?:e-?\d+)?")
COMMENT = re.compile(r"<!-- (.*?) -->", re.DOTALL)
SCALES = {
    "benchmarks": re.compile("0|50|100"),
    "roofline": re.compile("10*(,000)*|0[.]0*1|10* [kMGTPE]?"),
}
"""What axes count in, by figure."""


def texts(svg: bytes) -> list[str]:
    """The texts of an SVG whose letters are outlines: matplotlib notes each in a comment."""
    found = COMMENT.findall(svg.decode())
    return [re.sub("&(lt|gt|amp);", lambda m: {"lt": "<", "gt": ">", "amp": "&"}[m[1]], text)
            for text in found]  # fmt: skip


def numbers(document: Any) -> Iterator[str]:
    """Every number of the texts of a document, and of its shapes and counts of copies."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from numbers(key)
            yield from numbers(value)
    elif isinstance(document, list):
        for value in document:
            yield from numbers(value)
            yield from [str(value)] * (isinstance(value, int) and not isinstance(value, bool))
    elif isinstance(document, str):
        yield from NUMBER.findall(document.replace("_", " "))
        yield from NUMBER.findall(document)


def unknown(folder: Path, name: str, words: list[str]) -> list[str]:
    """The texts of a figure with a number that the blueprint does not have."""
    read = {".json": json.loads, ".yaml": yaml.safe_load}
    known = set()
    for path in (folder / "blueprint").iterdir():
        if path.suffix in read and path.stem != "state_dict":
            known |= set(numbers(read[path.suffix](path.read_text(encoding="utf-8"))))
    graph = json.loads((folder / "blueprint" / "graph.json").read_text(encoding="utf-8"))
    known |= {str(node["copies"]) for node in graph["nodes"]}
    scale = SCALES.get(name)
    return [
        text
        for text in words
        if not (scale and scale.fullmatch(text.strip()))
        and not all(number in known for number in NUMBER.findall(text.replace("[U+", "[")))
    ]


def test_every_number_is_in_the_blueprint(release_of, tmp_path):
    shape = {"latency": "offline", "parameter_budget": {"max": "8B"}, "memory_budget": "80GB"}
    for voice in ("confident", "plain"):
        folder = write(release_of(voice, constraints=shape), tmp_path / voice)
        for path, content in draw(folder, "--docs").items():
            words = texts(content)
            assert len(words) > 5, path
            assert not unknown(folder, Path(path).stem, words), path


def test_a_changed_digit_is_found(release, tmp_path):
    folder = write(release, tmp_path / "repository")
    files = {Path(path).stem: texts(content) for path, content in draw(folder, "--docs").items()}
    ledger = json.loads((folder / "blueprint" / "ledger.json").read_text(encoding="utf-8"))
    shown = {
        "memory": "peak_memory_gb",
        "parameters": "total_params",
        "roofline": "phase_1_rate",
        "benchmarks": "score_1_0_0",
        "ablation": "ablation_1_params",
    }
    for name, key in shown.items():
        text = ledger["figures"][key]["text"]
        (index,) = [i for i, words in enumerate(files[name]) if text in words][:1]
        words = files[name][index]
        files[name][index] = words.replace(text, f"{text[0]}9{text[1:]}")
        assert unknown(folder, name, files[name]) == [files[name][index]], name


def test_simulated_figures_say_so(drawn):
    folder, files = drawn
    plain = not (folder / "blueprint" / "benchmarks.json").exists()
    for path, content in files.items():
        if path.endswith(".svg"):
            words = " ".join(texts(content))
            simulated = not plain and Path(path).stem in ("benchmarks", "ablation")
            assert ("imulated" in words and "†" in words) == simulated, path


# -- how they look ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_every_example_has_a_pipeline_and_a_roofline_to_draw(drawing, path):
    release = plan(load_spec(path))
    check_layout(drawing.pipeline, release.blueprint["graph"])
    check_roofline(release.figures, release.blueprint["params_estimate"]["phases"])


def check_roofline(figures, phases) -> None:
    """No phase is faster than the arithmetic and the memory of its device."""
    assert phases
    peak, bandwidth = figures["device_peak"].value, figures["device_bandwidth"].value
    assert figures["device_ridge"].value == pytest.approx(peak / bandwidth)
    for i, phase in enumerate(phases, 1):
        rate, intensity = (figures[f"phase_{i}_{key}"].value for key in ("rate", "intensity"))
        assert 0 < rate < min(peak, intensity * bandwidth), phase


def test_a_pipeline_of_hostile_names_keeps_its_place(drawing, release_of):
    check_layout(drawing.pipeline, release_of(**hostile_document()).blueprint["graph"])


def check_layout(pipeline, graph) -> None:
    page = pipeline.layout(graph)
    assert set(page.boxes) == {node["id"] for node in graph["nodes"]}
    assert len(page.paths) == len(graph["edges"])
    boxes = [(b.x, b.y, b.right, b.y + b.high) for b in page.boxes.values()]
    labels = [label.extent for label in (*page.labels, *page.counts)]
    words = [
        (b.x + (b.wide - wide) / 2, b.foot, b.x + (b.wide + wide) / 2, b.y - 3)
        for b in page.boxes.values()
        if b.texts.words
        for wide in [max(pipeline.width(line, pipeline.WORDS) for line in b.texts.words)]
    ]
    assert not overlaps([*boxes, *words, *labels])
    segments = [tuple(map(sorted, zip(a, b, strict=True))) for line in page.paths
                for a, b in itertools.pairwise(line)]  # fmt: skip
    for (left, right), (low, up) in segments:
        assert not any(overlaps([label, (left, low, right + 0.1, up + 0.1)]) for label in labels)
    frames = [(f.x, f.y, f.x + f.wide, f.y + f.high) for f in page.frames]
    assert not overlaps(frames)
    for frame in frames:
        inside = [box for box in (*boxes, *words) if overlaps([frame, box])]
        assert all(frame[0] < b[0] and b[2] < frame[2] for b in inside)
        assert all(frame[1] < b[1] and b[3] < frame[3] for b in inside)
    corners = [(x, y, x, y) for line in page.paths for x, y in line]
    for left, low, right, up in (*boxes, *labels, *words, *frames, *corners):
        assert 0 <= left and 0 <= low and right <= page.wide and up <= page.high
    for box in page.boxes.values():
        assert box.texts.inside <= box.high
        for line in box.texts.name:
            assert pipeline.width(line, box.texts.name_size, "bold") <= box.wide


def overlaps(extents: list[tuple[float, float, float, float]]) -> bool:
    """Whether two of the rectangles (left, bottom, right, top) share more than a border."""
    return any(
        min(a[2], b[2]) - max(a[0], b[0]) > 0.01 and min(a[3], b[3]) - max(a[1], b[1]) > 0.01
        for a, b in itertools.combinations(extents, 2)
    )


def test_no_text_leaves_its_page(drawing, drawn):
    from matplotlib.backends.backend_agg import RendererAgg

    folder, _ = drawn
    blueprint = drawing.draw.Blueprint.read(folder / "blueprint")
    for name, page_of in blueprint.drawings().items():
        figure = page_of(drawing.ink.SCREEN).figure
        width, height = figure.get_size_inches() * figure.dpi
        renderer = RendererAgg(int(width), int(height), figure.dpi)
        for text in figure.texts:
            box = text.get_window_extent(renderer)
            assert box.x0 > -1 and box.y0 > -2 and box.x1 < width + 1 and box.y1 < height + 2, (
                name,
                text.get_text(),
            )


def test_files_are_well_formed_and_inert(drawn):
    _, files = drawn
    for path, content in files.items():
        if path.endswith(".svg"):
            tree = ElementTree.fromstring(content)
            tags = {element.tag.split("}")[-1] for element in tree.iter()}
            assert not tags & {"script", "a", "foreignObject", "image", "text"}, path
        else:
            assert content.startswith(b"%PDF") and b"/Type3" not in content, path
            assert b"/JavaScript" not in content and b"/URI" not in content, path


def test_inks_can_be_read_on_light_and_dark_pages(drawing):
    for page in ("#FFFFFF", "#0D1117"):
        assert contrast(drawing.ink.SCREEN.ink, page) > 4
        for fill, _, _ in drawing.ink.SCREEN.boxes.values():
            assert contrast(fill, page) > 3
    assert contrast(drawing.ink.PAPER.ink, "#FFFFFF") > 7
    for theme in (drawing.ink.SCREEN, drawing.ink.PAPER):
        for fill, _, ink in theme.boxes.values():
            assert contrast(fill, ink) > 4.5


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

"""Text stands out from its ground by 4.5:1 (WCAG 2.2, 1.4.3) in both themes: the theme's colours and our sheets."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
SHELL, SHARED = ((ROOT / "assets" / name).read_text() for name in ("shell.css", "shared.css"))
LEAST = 4.5
Colour = tuple[float, float, float]


def read(colour: str) -> Colour:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of one over the other."""
    red, green, blue = (share * a + (1 - share) * b for a, b in zip(one, other, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    parts = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def grounds(theme: str) -> list[Colour]:
    """What text stands on: pages, panels and the sidebar, plain and tinted with the primary colour as a choice is."""
    said = THEME[theme]
    names = ("backgroundColor", "secondaryBackgroundColor")
    plain = [read(where[name]) for where in (said, said["sidebar"]) for name in names]
    return [*plain, *(mixed(read(said["primaryColor"]), ground, 0.1) for ground in plain[:1])]


def solid(sheet: str, theme: str) -> Colour:
    """The ground of white text."""
    found = re.search(r"--solid: light-dark\((#\w{6}), (#\w{6})\)", sheet)
    assert found is not None
    return read(found[1 if theme == "light" else 2])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_muted_text(theme: str) -> None:
    ink = read(THEME[theme]["textColor"])
    captions = re.search(r"stCaptionContainer\"\] \{ opacity: ([\d.]+)", SHELL)
    muted = re.search(r"--muted: color-mix\(in srgb, var\(--st-text-color\) (\d+)%", SHARED)
    assert captions is not None
    assert muted is not None
    for share in (float(captions[1]), int(muted[1]) / 100):
        assert min(contrast(mixed(ink, ground, share), ground) for ground in grounds(theme)) >= LEAST


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_primary_colour_as_text_and_as_ground(theme: str) -> None:
    assert solid(SHELL, theme) == solid(SHARED, theme)
    assert contrast((1, 1, 1), solid(SHELL, theme)) >= LEAST
    assert 'button[kind^="primary"]' in SHELL
    assert "background: var(--solid)" in (ROOT / "assets" / "prompt_box" / "style.css").read_text()
    said = THEME[theme]
    page, primary = read(said["backgroundColor"]), read(said["primaryColor"])
    for ground in (page, mixed(primary, page, 0.1)):
        assert contrast(primary, ground) >= LEAST


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_parts_of_a_command(theme: str) -> None:
    tokens = re.findall(r"\.token\.\w+ \{ color: light-dark\((#\w{6}), (#\w{6})\)", SHELL)
    assert len(tokens) == 3
    for light, dark in tokens:
        assert contrast(read(light if theme == "light" else dark), read(THEME[theme]["codeBackgroundColor"])) >= LEAST


def test_orange_says_negative_in_every_part_that_we_draw() -> None:
    orange = re.compile(r"#(?:f97316|ea580c|c2410c|fb923c)|(?:234, ?88, ?12)|(?:249, ?115, ?22)", re.IGNORECASE)
    sheets = sorted([*ROOT.glob("assets/*/*.js"), *ROOT.glob("assets/**/*.css"), *ROOT.glob("pages/**/*.py")])
    lines = [(path.name, line) for path in sheets for line in path.read_text().splitlines() if orange.search(line)]
    assert len(lines) >= 3
    assert [line for line in lines if "negative" not in line[1].lower()] == []

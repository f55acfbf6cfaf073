"""Draws a terminal's screen as SVG: `tmux capture-pane -p -e | screen_to_svg.py COLUMNS > picture.svg`.

Knows the SGR sequences that tmux prints and nothing else of a terminal. Every run of cells in one style
becomes one <text> of exactly its width, so the picture does not depend on the reader's font.
"""

import re
import sys
from html import escape

CELL_WIDTH, CELL_HEIGHT, BASELINE, MARGIN = 8.4, 18, 13.5, 12
FOREGROUND, BACKGROUND = "#e0e2ea", "#14161b"
SGR = re.compile(r"\x1b\[([0-9;]*)m")
ANSI = ("07080d", "ffc0b9", "b3f6c0", "fce094", "a6dbff", "ffcaff", "8cf8f7", "eef1f8")


def palette(index):
    """The colour of one of the 256 indices."""
    if index < 16:
        return "#" + ANSI[index % 8]
    if index < 232:
        levels = (0, 95, 135, 175, 215, 255)
        index -= 16
        return "#%02x%02x%02x" % (levels[index // 36], levels[index // 6 % 6], levels[index % 6])
    return "#" + "%02x" % (8 + 10 * (index - 232)) * 3


def extended(codes):
    """The colour after a 38 or 48, taking its numbers off the list."""
    if codes.pop(0) == 5:
        return palette(codes.pop(0))
    return "#%02x%02x%02x" % (codes.pop(0), codes.pop(0), codes.pop(0))


def apply(style, parameters):
    """The style after one SGR sequence."""
    codes = [int(code or 0) for code in parameters.split(";")]
    style = dict(style)
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = {}
        elif code in (1, 2, 3, 4, 7):
            style[{1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse"}[code]] = True
        elif code in (22, 23, 24, 27):
            for name in {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",)}[code]:
                style.pop(name, None)
        elif code in (38, 48):
            style["fg" if code == 38 else "bg"] = extended(codes)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style["fg"] = palette(code % 10)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style["bg"] = palette(code % 10)
        elif code in (39, 49):
            style.pop("fg" if code == 39 else "bg", None)
    return style


def runs(line, style):
    """(column, text, style) of a line's runs, and the style at its end."""
    found, column = [], 0
    for number, part in enumerate(SGR.split(line)):
        if number % 2:
            style = apply(style, part)
        elif part:
            found.append((column, part, style))
            column += len(part)
    return found, style


def draw(row, column, text, style):
    """The elements of one run."""
    fg, bg = style.get("fg", FOREGROUND), style.get("bg", BACKGROUND)
    if style.get("reverse"):
        fg, bg = bg, fg
    x, y, width = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT, len(text) * CELL_WIDTH
    if bg != BACKGROUND:
        yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{CELL_HEIGHT}" fill="{bg}"/>'
    if not text.strip():
        return
    extra = "".join(
        f" {attribute}"
        for name, attribute in (
            ("bold", 'font-weight="bold"'),
            ("italic", 'font-style="italic"'),
            ("dim", 'opacity="0.6"'),
            ("underline", 'text-decoration="underline"'),
        )
        if style.get(name)
    )
    yield (
        f'<text x="{x:.1f}" y="{y + BASELINE}" textLength="{width:.1f}" xml:space="preserve"'
        f' fill="{fg}"{extra}>{escape(text)}</text>'
    )


def picture(lines, columns):
    """The whole SVG."""
    width, height = 2 * MARGIN + columns * CELL_WIDTH, 2 * MARGIN + len(lines) * CELL_HEIGHT
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}"'
        f' font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">'
    )
    yield f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>'
    style = {}
    for row, line in enumerate(lines):
        found, style = runs(line, style)
        for column, text, run_style in found:
            yield from draw(row, column, text, run_style)
    yield "</svg>"


if __name__ == "__main__":
    screen = sys.stdin.read().rstrip("\n").split("\n")
    print("\n".join(picture(screen, int(sys.argv[1]))))

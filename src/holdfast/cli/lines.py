"""Lines of text as data: spans with a style. Views make them, a screen writes them.

No view ever writes an escape sequence, so what comes from plans, hosts and journals cannot either: every span is
cleaned where it is turned into characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple


class Span(NamedTuple):
    text: str
    style: str = ""


Line = Sequence[Span]
EMPTY: Final[Line] = ()

SGR: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "title": "1",
    "alarm": "1;31",
}


def line(*parts: str | Span) -> Line:
    return [part if isinstance(part, Span) else Span(part) for part in parts]


def plain(of: Line) -> str:
    return "".join(clean(text) for text, _ in of)


def coloured(of: Line) -> str:
    return "".join(f"\x1b[{SGR[style]}m{clean(text)}\x1b[0m" if style else clean(text) for text, style in of)


# -- text that nobody need trust

_FORMATS: Final = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF]
_UNSEEN: Final = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},
    **{code: f"\\u{code:04x}" for code in _FORMATS},  # they turn the direction of what follows, or hide
    **{code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)},  # bytes of a file name that are no text
    **{ord(char): name for char, name in {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.items()},
}


def clean(text: str) -> str:
    """One line that moves no cursor and changes no colour: what cannot be seen is spelled out."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)


def clean_lines(text: str) -> list[str]:
    """The lines of a text: only line feeds end one, and tabs are spaces."""
    return [clean(part.expandtabs(4)) for part in text.rstrip("\n").split("\n")] if text else []


def width(text: str) -> int:
    """How many columns it takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def shortened(text: str, columns: int) -> str:
    """The beginning of a text that is too long."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


# -- columns


def table(head: Sequence[str], rows: Iterable[Sequence[str | Span]], *, right: Sequence[int] = ()) -> Iterator[Line]:
    """Rows in columns as wide as they must be; `right` are the numbers of those that end at the right."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    titles = [Span(title, "dim") for title in head]
    shown = [titles, *cells]
    widths = [max(width(row[column].text) for row in shown) for column in range(len(titles))]
    for row in shown:
        yield list(_padded(row, widths, right))


def _cell(cell: str | Span) -> Span:
    text, style = cell if isinstance(cell, Span) else (cell, "")
    return Span(clean(text), style)


def _padded(row: Sequence[Span], widths: Sequence[int], right: Sequence[int]) -> Iterator[Span]:
    last = len(row) - 1
    for column, (span, wanted) in enumerate(zip(row, widths, strict=True)):
        space = " " * (wanted - width(span.text))
        if column in right:
            yield Span(space)
        yield span
        if column != last:
            yield Span("  " if column in right else space + "  ")

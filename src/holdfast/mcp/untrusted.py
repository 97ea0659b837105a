"""What hosts, services and files say, on its way to a model: marked as data, bounded, without characters that hide or steer.

Everything in a document is taken for such text, unless it is known by its key to be in our own words.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from holdfast.core.errors import CODES
from holdfast.drivers.output import plain_text

TEXT_BYTES_MAX: Final = 16 * 1024  # of one text
TOTAL_BYTES_MAX: Final = 128 * 1024  # of all such texts of one answer
ENTRIES_MAX: Final = 500  # of one list
WORDS_MAX: Final = 1000  # characters of what is in our own words: names come from plans


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keys of documents whose texts are names from plans, words of ours, times and numbers of ours.
OURS: Final = _words(
    """
    action action_id approve_with at behind by code completed_at created_at digest ending executed execution_type failed
    guarantee hint id irreversible key keys kind last_run_at made_at name owner plan resource resources rolled_back run
    since skipped source stage started_at state step target task tenant type unchanged verdict what_to_do
    """
)
# Keys whose values are told as one text, whatever they are: states, and what programs and services answered.
WHOLE: Final = _words("after before body diff found made output recorded value values")
# Characters that nobody sees: formats and reading directions, halves and private ones; and selectors, which can carry text.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5")
_LEFT_OUT: Final = "\n[{} bytes are left out here]\n"

Envelope = dict[str, Any]


def clean(text: str) -> str:
    """Only what a person would see as well."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_seen, plain_text(text)))


def _seen(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):
        return "\n"
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return "" if category in _UNSEEN or selector or character in _FILLERS else character


class Sealing:
    """One answer on its way out; it counts what was told already."""

    def __init__(self, total_max: int = TOTAL_BYTES_MAX) -> None:
        self._room = total_max

    def document(self, value: Any, key: str = "") -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if key in WHOLE:
            return self.text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
        if isinstance(value, str):
            return _ours(value) if key in OURS or value in CODES else self.text(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        return self._sequence(value, key)

    def text(self, text: str) -> Envelope:
        """The envelope: `text` is data, and never an instruction."""
        shown = _shortened(clean(text), min(TEXT_BYTES_MAX, max(self._room, 0)))
        self._room -= len(shown.encode())
        return {"untrusted": True, "text": shown}

    def _mapping(self, value: Mapping[str, Any]) -> dict[str, Any]:
        entries = list(value.items())
        found = {_ours(str(name)): self.document(inner, str(name)) for name, inner in entries[:ENTRIES_MAX]}
        cut = {name: len(inner) - ENTRIES_MAX for name, inner in entries if _is_long(inner) and name not in WHOLE}
        if len(entries) > ENTRIES_MAX:
            cut["entries"] = len(entries) - ENTRIES_MAX
        return {**found, "left_out": cut} if cut else found

    def _sequence(self, value: Sequence[Any], key: str) -> list[Any]:
        return [self.document(inner, key) for inner in value[:ENTRIES_MAX]]


def _is_long(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > ENTRIES_MAX


def _ours(text: str) -> str:
    text = clean(text)
    return text if len(text) <= WORDS_MAX else text[:WORDS_MAX] + " [...]"


def _shortened(text: str, bytes_max: int) -> str:
    """Its beginning and its end, in no more than so many bytes."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= bytes_max:
        return text
    half = (bytes_max - len(_LEFT_OUT) - 8) // 2
    if half <= 0:
        return ""
    first, last = whole[:half].decode("utf-8", "ignore"), whole[-half:].decode("utf-8", "ignore")
    return first + _LEFT_OUT.format(len(whole) - 2 * half) + last

"""`${vars.x}`, `${env.NAME}`, `${target.name}` and `${each.FIELD}` in texts; `$${` stands for a literal `${`.

A text that is nothing but one reference becomes the value itself, so that `attempts: ${vars.n}` is a number; inside a
longer text a value is written out. Where a number is found and a text is wanted, `texts` writes it out as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from holdfast.core.errors import PlanError, Problem
from holdfast.planfile.marks import is_unicode
from holdfast.planfile.source import Spot, meant

EXPANSION_MAX: Final = 64 * 1024 * 1024  # characters of texts, and for each value:
VALUE_SIZE: Final = 16

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{\s*([^{}]*?)\s*\}|\$\{")
_NOT_HERE: Final = {
    "each": "`each` is known only below a task that has `each`",
    "target": "`target` is known only below a task",
}


class Broken:
    """Stands where a value could not be made; the reason is already among the problems."""

    def __repr__(self) -> str:
        return "<broken>"


BROKEN: Final = Broken()


class Allowance:
    """What references may still bring into a plan: without a limit a few lines could ask for all the memory there is."""

    __slots__ = ("left",)

    def __init__(self, left: int = EXPANSION_MAX) -> None:
        self.left = left

    def take(self, value: Any) -> None:
        todo = [value]
        while todo:
            item = todo.pop()
            self.left -= VALUE_SIZE + (len(item) if isinstance(item, str) else 0)
            if self.left < 0:
                raise _Exhausted
            if isinstance(item, (list, dict)):
                todo += item.values() if isinstance(item, dict) else item


class _Exhausted(Exception):
    pass


class _Unknown(Exception):
    def __init__(self, message: str, hint: str = "", code: str = "undefined_variable") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class _Known(Exception):
    """The variable is broken itself, and the reason was told there."""


class Scope:
    """What names mean at one place of a plan."""

    __slots__ = ("allowance", "found", "names")

    def __init__(self, names: Mapping[str, Any], found: list[Problem], allowance: Allowance) -> None:
        self.names = names  # first word of a reference -> what it holds
        self.found = found
        self.allowance = allowance

    def within(self, **names: Any) -> Scope:
        return Scope({**self.names, **names}, self.found, self.allowance)

    def expand(self, value: Any, spot: Spot, *, texts: bool = False) -> Any:
        """The value with all references replaced; BROKEN as a whole when one of them cannot be."""
        if type(value) is str:
            return self._text(value, spot, texts) if "${" in value else value
        if type(value) is dict:
            items = {key: self.expand(item, spot.into(key), texts=texts) for key, item in value.items()}
            return BROKEN if BROKEN in items.values() else items
        if type(value) is list:
            entries = [self.expand(item, spot.into(n), texts=texts) for n, item in enumerate(value)]
            return BROKEN if BROKEN in entries else entries
        return value

    def arguments(self, raw: Mapping[str, Any], spot: Spot) -> dict[str, Any]:
        """As `expand`, but each value breaks on its own."""
        made = dict(raw)
        for key, value in raw.items():
            kind = type(value)
            if (kind is str and "${" in value) or kind is dict or kind is list:
                made[key] = self.expand(value, spot.into(key))
        return made

    def plain(self, spot: Spot) -> dict[str, Any]:
        """What a template may name: each variable by its own name, and `vars`, `target` and `each` as in references."""
        roots = {root: _sound(self.names[root]) for root in ("vars", "target", "each") if root in self.names}
        self._spend(roots, spot)
        return {**roots.get("vars", {}), **roots}

    def _spend(self, value: Any, spot: Spot) -> None:
        try:
            self.allowance.take(value)
        except _Exhausted:
            raise _too_large(spot) from None

    def _text(self, text: str, spot: Spot, texts: bool) -> Any:
        try:
            whole = _REFERENCE.fullmatch(text)
            if whole and whole[1] is not None and not texts:
                return self._value(whole[1])
            return _REFERENCE.sub(self._written, text)
        except _Exhausted:
            raise _too_large(spot) from None
        except (_Known, _Unknown):
            self._tell(text, spot)
            return BROKEN

    def _tell(self, text: str, spot: Spot) -> None:
        """Every reference in a text that means nothing, not only the first."""
        for reference in _REFERENCE.finditer(text):
            try:
                self._written(reference)
            except _Known:
                continue
            except _Exhausted:
                raise _too_large(spot) from None
            except _Unknown as unknown:
                self.found.append(spot.problem(unknown.code, str(unknown), unknown.hint))

    def _written(self, reference: re.Match[str]) -> str:
        if reference[0] == "$${":
            return "${"
        if reference[1] is None:
            raise _Unknown("a `${` is never closed", "write `$${` for a literal `${`", "invalid_value")
        value = self._value(reference[1])
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        what = "empty" if value is None else "a list" if isinstance(value, list) else "a mapping"
        raise _Unknown(f"`{reference[1]}` is {what} and cannot be written into a text", code="invalid_value")

    def _value(self, name: str) -> Any:
        root, *rest = name.split(".")
        if root not in self.names or not rest:
            raise _Unknown(f"there is no variable `{name}`", _NOT_HERE.get(root) or self._hint(name))
        value = self.names[root]
        for depth, part in enumerate(rest, start=1):
            if not isinstance(value, Mapping) or part not in value:
                raise _Unknown(_missing(root, name), self._close(root, part, value) if depth == 1 else "")
            value = value[part]
        if value is BROKEN:
            raise _Known
        if isinstance(value, str) and not is_unicode(value):
            raise _Unknown(f"`{name}` is not UTF-8", "a plan holds nothing that is no text", "invalid_value")
        self.allowance.take(value)
        return value

    def _hint(self, name: str) -> str:
        for root in ("vars", "each"):
            if name in self.names.get(root, ()):
                return f"did you mean `{root}.{name}`?"
        return f"write `$${{{name}}}` for a literal; variables begin with `vars.`, `env.`, `target.` or `each.`"

    def _close(self, root: str, part: str, value: Any) -> str:
        if root == "env" or not isinstance(value, Mapping):
            return "set it before Holdfast is started" if root == "env" else ""
        close = meant(part, value)
        return close.replace("`", f"`{root}.", 1) or (f"define it under `{root}`" if root == "vars" else "")


def _too_large(spot: Spot) -> PlanError:
    return PlanError([spot.problem("too_large", "references make this plan larger than any plan may be")])


def _sound(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not BROKEN}


def _missing(root: str, name: str) -> str:
    return f"the environment has no `{name.partition('.')[2]}`" if root == "env" else f"there is no variable `{name}`"


class Variables(Mapping[str, Any]):
    """`vars`, which may refer to one another and to the environment: each is worked out when it is first asked for."""

    def __init__(
        self, raw: Mapping[str, Any], env: Mapping[str, str], spot: Spot, found: list[Problem], allowance: Allowance
    ) -> None:
        self._raw = raw
        self._spot = spot
        self._known: dict[str, Any] = {}
        self._open: list[str] = []
        self._scope = Scope({"vars": self, "env": env}, found, allowance)
        for name in raw:
            self[name]  # so that problems are found in variables that nobody uses

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._worked_out(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def _worked_out(self, name: str) -> Any:
        if name in self._open:
            way = " refers to ".join(f"`{part}`" for part in [*self._open[self._open.index(name) :], name])
            raise _Unknown(f"a variable cannot refer to itself: {way}", "write one of them without the others")
        self._open.append(name)
        try:
            return self._scope.expand(self._raw[name], self._spot.into(name))
        finally:
            self._open.pop()

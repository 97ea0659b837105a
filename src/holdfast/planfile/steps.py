"""One mapping becomes one step: exactly one kind, its arguments, and what every step may say.

The hot path of reading: a plan may have a hundred thousand steps, nearly all of them sound, so nothing is built for
the sake of an error message before there is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from msgspec.structs import replace

from holdfast.core.errors import Problem
from holdfast.core.plan import ONCE, Step
from holdfast.kinds.contract import Kind
from holdfast.kinds.registry import KINDS, kind_of, names
from holdfast.planfile.arguments import Rewrite, Shape, Texts, Walk, fill, rewrite, rewrite_secrets, shape_of
from holdfast.planfile.layout import StepLayout, listed
from holdfast.planfile.paths import Anchor, away
from holdfast.planfile.source import Spot, meant
from holdfast.planfile.targets import NEARBY
from holdfast.planfile.variables import BROKEN, Scope

_COMMON: Final = shape_of(StepLayout)
_PLAIN: Final = StepLayout()


class Nothing(Kind, frozen=True):
    """Stands in for an operation that could not be read, so that the order of the others can still be checked."""

    kind = main = family = ""

    def claims(self) -> tuple[()]:
        return ()


NOTHING: Final = Nothing()


@cache
def shape_of_kind(name: str) -> Shape[Kind] | None:
    kind = kind_of(name)
    return None if kind is None else shape_of(kind)


class StepReader:
    """Reads the steps of one plan; whatever is wrong goes to `found`, and the step it leaves does nothing."""

    def __init__(self, anchor: Anchor, targets: frozenset[str], found: list[Problem], *, literal: bool) -> None:
        self.anchor = anchor
        self.targets = targets
        self.found = found
        self.literal = literal  # everything is expanded already, and every path absolute

    def read(self, raw: Any, scope: Scope, target: str, place: str, spot: Spot) -> Step:
        """The step with its id and needs as they were written; `place` is the id of a step without one, but for the kind."""
        if type(raw) is not dict:
            self.found.append(spot.problem("invalid_value", "a step is a mapping: its kind and the arguments of that"))
            return Step(id=place, kind="", operation=NOTHING, target=target)
        own, common = raw, _PLAIN
        if not _COMMON.known.keys().isdisjoint(raw):
            own = {key: value for key, value in raw.items() if key not in _COMMON.known}
            common = self._common(raw, scope, spot)
            if common.on is not None:
                target = common.on
                scope = scope.within(target={"name": target})
        kind = self._kind(own, spot)
        operation = NOTHING if kind is None else self._operation(kind, own, scope, target, spot)
        name = operation.kind or kind or ""
        target = operation.lands or target
        if common is _PLAIN:
            return Step(id=f"{place}{name}", kind=name, operation=operation, target=target)
        return Step(
            id=common.id or f"{place}{name}",
            kind=name,
            operation=operation,
            target=target,
            needs=tuple(listed(common.needs)),
            timeout=None if common.timeout is None else float(common.timeout),
            retry=ONCE if common.retry is None else common.retry.value,
            irreversible=common.irreversible,
            note=common.note,
        )

    def _common(self, raw: Mapping[str, Any], scope: Scope, spot: Spot) -> StepLayout:
        written = {key: value for key, value in raw.items() if key in _COMMON.known}
        given = written if self.literal else scope.arguments(written, spot)
        common = fill(_COMMON, given, spot, self.found, _Texts(written, scope, spot))
        if common is None:
            return _salvaged(given)
        if common.on is not None and common.on not in self.targets:
            hint = meant(common.on, self.targets)
            self.found.append(spot.into("on").problem("unknown_target", f"there is no target `{common.on}`", hint))
            return replace(common, on=None)
        return common

    def _kind(self, own: Mapping[str, Any], spot: Spot) -> str | None:
        """The one key that names a kind. A key may be a kind and also an argument of another kind: then it is the argument."""
        kinds = _no_arguments([key for key in own if key in KINDS])
        if len(kinds) != 1 or not all(key == kinds[0] or _takes(kinds[0], key) for key in own):
            # Only now those of other packages: to look for them takes as long as to read a short plan.
            kinds = _no_arguments([key for key in own if shape_of_kind(key) is not None])
        if len(kinds) == 1:
            return kinds[0]
        if kinds:
            message = f"one step cannot be {' and '.join(f'`{kind}`' for kind in kinds)} at once"
            self.found.append(spot.into(kinds[1]).problem("invalid_value", message, "make two steps of it", key=True))
        else:
            self._no_kind(own, spot)
        return None

    def _no_kind(self, own: Mapping[str, Any], spot: Spot) -> None:
        known = names()
        guesses = {key: hint for key in own if (hint := meant(key, known))}
        if own:
            key = next(iter(guesses or own))
            problem = spot.into(key).problem("unknown_kind", f"`{key}` is not a kind of step", guesses.get(key, ""), key=True)
        else:
            problem = spot.problem("missing_key", "nothing says what this step does", f"kinds: {', '.join(known)}")
        self.found.append(problem)

    def _operation(self, kind: str, own: Mapping[str, Any], scope: Scope, target: str, spot: Spot) -> Kind:
        shape = shape_of_kind(kind)
        assert shape is not None
        if kind != shape.main and shape.main in own:
            message = f"`{shape.main}` is what `{kind}` itself holds"
            self.found.append(spot.into(shape.main).problem("duplicate_key", message, key=True))
        given = dict(own) if self.literal else scope.arguments(own, spot)
        main = given.pop(kind)
        if main is not None or shape.known[shape.main].required:
            given[shape.main] = main
        if shape.lands:
            given.setdefault("host", target)
        texts = _Texts(own, scope, spot, kind, shape.main)
        if not self.literal:
            self._place(shape, given, target, spot, texts)
            _hand_over_variables(shape, given, scope, spot)
        made = fill(shape, given, spot, self.found, texts)
        return NOTHING if made is None else made

    def _place(self, shape: Shape[Kind], given: dict[str, Any], target: str, spot: Spot, texts: Texts) -> None:
        """Make the paths among the arguments absolute."""
        for name, *_ in (*shape.here, *shape.there):
            if type(given.get(name)) in (int, float) and (text := texts(name)) is not BROKEN:
                given[name] = text
        for way in shape.here:
            self._change(shape, given, way, self.anchor.place, spot)
        for way in shape.there:
            self._change(shape, given, way, self.anchor.place if target in NEARBY else away, spot)
        for name in shape.secrets:
            self._change(shape, given, (name,), self.anchor.secret, spot, rewrite_secrets)

    def _change(
        self, shape: Shape[Kind], given: dict[str, Any], way: tuple[str, ...], change: Rewrite, spot: Spot, walk: Walk = rewrite
    ) -> None:
        name, *rest = way
        value = given.get(name)
        if value is not None and value is not BROKEN:
            inside = spot.into(shape.name if name == shape.main else name)
            given[name] = walk(value, tuple(rest), change, inside, self.found)


def _salvaged(given: Mapping[str, Any]) -> StepLayout:
    """Who it is and whom it needs, as far as that can be read, so that problems of the order are found as well."""
    named, needs = given.get("id"), given.get("needs")
    needs = [needs] if isinstance(needs, str) else needs if isinstance(needs, list) else []
    return StepLayout(id=named if isinstance(named, str) else None, needs=[name for name in needs if isinstance(name, str)])


def _no_arguments(kinds: list[str]) -> list[str]:
    """Without those that are arguments of another, unless none would be left."""
    return [kind for kind in kinds if not any(_takes(other, kind) for other in kinds)] or kinds


def _takes(kind: str, argument: str) -> bool:
    shape = shape_of_kind(kind)
    return shape is not None and kind != argument and argument in shape.known


def _hand_over_variables(shape: Shape[Kind], given: dict[str, Any], scope: Scope, spot: Spot) -> None:
    """A template sees the variables of the plan, by their own names and as they are called in references."""
    if not shape.templates or "vars" not in shape.known or "vars" in given:
        return
    if any(way[0] in given for way in shape.templates):
        given["vars"] = scope.plain(spot)


class _Texts:
    """An argument once more, with the numbers that references brought written out as texts."""

    def __init__(self, written: Mapping[str, Any], scope: Scope, spot: Spot, kind: str = "", main: str = "") -> None:
        self.written = written
        self.scope = Scope(scope.names, [], scope.allowance)
        self.spot = spot
        self.names = {main: kind}

    def __call__(self, name: str) -> Any:
        value = self.written.get(self.names.get(name, name))
        text = self.scope.expand(value, self.spot, texts=True)
        return BROKEN if text == value else text

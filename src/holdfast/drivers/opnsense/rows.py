"""What the appliance shows becomes values: rows of a search, and the option maps of a `get`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from holdfast.kinds.opnsense.field import Field
from holdfast.kinds.opnsense.resources import Type
from holdfast.kinds.opnsense.values import normal

UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_managed(row: Mapping[str, Any]) -> bool:
    """Automatic, legacy and dynamic objects are shown as well, and are none of ours."""
    return is_uuid(str(row.get("uuid", ""))) and not row.get("legacy")


def is_uuid(text: str) -> bool:
    return UUID4.fullmatch(text) is not None


def tied_in(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """By uuid, the interface that a VLAN is assigned to, which stands behind its device: `vlan01 [LAN]`."""
    shown = {uuid: str(row.get("vlanif", "")).partition(" [") for uuid, row in rows.items()}
    return {uuid: label.rstrip("]") for uuid, (_, found, label) in shown.items() if found}


def of_row(type_: Type, row: Mapping[str, Any], version: str) -> dict[str, str]:
    """A row of a version that shows every field as it is stored."""
    flat = dict(_flat(row))
    found = {name: normal(field, _text(field, flat[name])) for name, field in type_.known(version).items() if name in flat}
    if "vlanif" in found:
        found["vlanif"] = found["vlanif"].partition(" ")[0]  # it is shown with the interface it is assigned to
    return found


def of_get(type_: Type, answer: Any, version: str) -> dict[str, str] | None:
    """An object by its uuid; None when there is none."""
    shown = _shown(type_, answer)
    flat = _containers(shown, type_)
    found = {name: normal(field, _text(field, flat[name])) for name, field in type_.known(version).items() if name in flat}
    return (
        found if found and all(name in found for name in type_.key) else None
    )  # of an unknown alias only its content is shown


def options_in(type_: Type, answer: Any) -> dict[str, dict[str, str]]:
    """By field, the values it may hold and what they are called."""
    flat = _containers(_shown(type_, answer), type_)
    return {
        name: {key: str(option.get("value", key)) for key, option in _options(shown)}
        for name, shown in flat.items()
        if isinstance(shown, (dict, list))
    }


def _shown(type_: Type, answer: Any) -> Mapping[str, Any]:
    shown = answer.get(type_.wrapper) if isinstance(answer, dict) else None
    return shown if isinstance(shown, dict) else {}


def _flat(row: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _containers(shown: Mapping[str, Any], type_: Type) -> dict[str, Any]:
    """The fields of nested containers by their dotted names."""
    above = {field.name.partition(".")[0] for field in type_.fields if "." in field.name}
    found: dict[str, Any] = {}
    for name, value in shown.items():
        if name in above and isinstance(value, dict):
            found.update((f"{name}.{inner}", option) for inner, option in value.items())
        else:
            found[name] = value
    return found


def _options(shown: Any) -> list[tuple[str, Mapping[str, Any]]]:
    pairs = shown.items() if isinstance(shown, dict) else ((str(number), option) for number, option in enumerate(shown))
    return [(key, option) for key, option in pairs if isinstance(option, dict)]


def _text(field: Field, shown: Any) -> str:
    if isinstance(shown, bool):
        return "1" if shown else "0"
    if isinstance(shown, (dict, list)):
        chosen = [key for key, option in _options(shown) if str(option.get("selected")) in ("1", "True")]
        return field.separator.join(key for key in chosen if key)
    return "" if shown is None else str(shown)

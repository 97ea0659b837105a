"""May the key do what the plan and its undo need? Asked only of types that something changes in, and before it does."""

from __future__ import annotations

from typing import Final

from holdfast.core.predict import Unfit, View
from holdfast.kinds.opnsense.item import Privileges
from holdfast.kinds.opnsense.resources import Type

MAY: Final = "@may/"  # before the name of a type: the look that tells


def check(view: View, type_: Type) -> None:
    found = view.seen(MAY + type_.name)
    if isinstance(found, Privileges) and found.missing:
        calls = ", ".join(f"api/{path}" for path in found.missing)
        hint = f"give the user of the key the privilege for api/{type_.at}/*, and for what activates it"
        raise Unfit(
            "permission_denied", f"the key may not call {calls}, which changing {type_.name} or taking it back needs", hint
        )

"""What a fault does, effect by effect: to the call, to the answer on its way, or to the appliance itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.testing.opnsense.call import Call, Interrupted, failure, refusal
from holdfast.testing.opnsense.users import User, credentials
from holdfast.testing.opnsense.wire import HTML, Request, Response

if TYPE_CHECKING:
    from holdfast.testing.opnsense.simulator import Simulator

Effect = Callable[["Simulator", Request, "Call | None", Any], None]
_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


def broken(status: int, body: str) -> Response:
    bodies = {
        "json-generic": failure("Unexpected error, check log for details", status),
        "json-usererror": refusal("Item in use by the fault"),
        "html": Response(status, _PAGE, HTML),
        "empty": Response(status),
        "forbidden": Response.json({"status": 403, "message": "Forbidden"}, status),
    }
    return bodies[body]


def happens(appliance: Simulator, effect: Mapping[str, Any], request: Request, call: Call | None) -> None:
    """Do one entry of a rule while the request is worked on; one that ends it raises Interrupted."""
    if "status" in effect:
        raise Interrupted(broken(effect["status"], effect.get("body", "json-generic")))
    for name, value in effect.items():
        EFFECTS[name](appliance, request, call, value)


def on_its_way(response: Response, effect: Mapping[str, Any], *, midway: bool) -> Response:
    """The answer as one entry of a rule lets it out."""
    if "status" in effect:
        response = replace(broken(effect["status"], effect.get("body", "json-generic")), delivery=response.delivery)
    if "delay" in effect:
        time.sleep(effect["delay"])
    if "truncate" in effect:
        response = response.delivered(truncate=effect["truncate"], end="fin")
    if "drip" in effect:
        response = response.delivered(drip=(effect["drip"]["bytes"], effect["drip"]["every"]))
    if ending := effect.get("reset") or ("hang" if effect.get("hang") else ""):
        part = {"truncate": len(response.body) // 2} if midway else {"silent": True}
        response = response.delivered(end=ending, **part)
    return response


def _delay(appliance: Simulator, request: Request, call: Call | None, value: float) -> None:
    time.sleep(value)


def _reset(appliance: Simulator, request: Request, call: Call | None, value: str) -> None:
    raise Interrupted(Response().delivered(silent=True, end=value))


def _hang(appliance: Simulator, request: Request, call: Call | None, value: bool) -> None:
    raise Interrupted(Response().delivered(silent=True, end="hang"))


def _of_call(name: str) -> Effect:
    def set_it(appliance: Simulator, request: Request, call: Call | None, value: Any) -> None:
        if call is not None:
            setattr(call, name, value)

    return set_it


def _of_runtime(name: str) -> Effect:
    def set_it(appliance: Simulator, request: Request, call: Call | None, value: Any) -> None:
        setattr(appliance.running, name, value)

    return set_it


def _flap(appliance: Simulator, request: Request, call: Call | None, value: bool) -> None:
    appliance.running.flapping.add(request.path.split("/")[2])


def _foreign(appliance: Simulator, request: Request, call: Call | None, value: Mapping[str, Any]) -> None:
    appliance.foreign(**value)


def _reboot(appliance: Simulator, request: Request, call: Call | None, value: bool) -> None:
    appliance.reboot()
    raise Interrupted(Response().delivered(silent=True, end="rst"))


def _user(change_it: Callable[[User], User]) -> Effect:
    def change(appliance: Simulator, request: Request, call: Call | None, value: bool) -> None:
        key, _ = credentials(request)
        if key in appliance.users:
            appliance.users[key] = change_it(appliance.users[key])

    return change


def _keep(appliance: Simulator, request: Request, call: Call | None, value: int) -> None:
    appliance.store.prune(value)


def _profile(appliance: Simulator, request: Request, call: Call | None, value: str) -> None:
    appliance.become(value)
    raise Interrupted(Response().delivered(silent=True, end="rst"))


EFFECTS: Final[Mapping[str, Effect]] = {
    "delay": _delay,
    "reset": _reset,
    "hang": _hang,
    "save": _of_call("saves"),
    "stale_read": _of_call("stale"),
    "duplicate": _of_call("twice"),
    "validations": _of_call("complaints"),
    "backend": _of_call("backend"),
    "lies": _of_runtime("lies"),
    "pf_failures": _of_runtime("pf_failures"),
    "haproxy_failures": _of_runtime("haproxy_failures"),
    "flap": _flap,
    "foreign": _foreign,
    "reboot": _reboot,
    "revoke": _user(lambda user: replace(user, disabled=True)),
    "read_only": _user(lambda user: replace(user, read_only=True)),
    "keep_revisions": _keep,
    "profile": _profile,
}

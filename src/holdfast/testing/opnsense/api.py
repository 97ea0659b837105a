"""From a request to an action: routing, authentication, privileges, body, in the appliance's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from holdfast.testing.opnsense.call import Call, Interrupted, Refused, failure, refusal
from holdfast.testing.opnsense.collection import Answer, Handler
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import Store
from holdfast.testing.opnsense.users import User, credentials
from holdfast.testing.opnsense.wire import Request, Response, lacks_its_json, read_body

Routes = Mapping[tuple[str, str, str], tuple[Handler, int]]
Phase = Callable[[str, "Call | None"], None]
UNBOUND_SETTINGS = ("Unbound", "Settings")


class Api:
    """The API of one version; `users` is looked at with every call, so a key can be revoked under way."""

    def __init__(self, profile: Profile, routes: Routes, store: Store, users: Mapping[str, User], race_delay_s: float) -> None:
        self.profile = profile
        self.routes = routes
        self.store = store
        self.users = users
        self.race_delay_s = race_delay_s

    def answer(self, request: Request, phase: Phase) -> Response:
        try:
            return self._answer(request, phase)
        except Interrupted as interrupted:
            return interrupted.response
        except Refused as refused:
            return refusal(str(refused))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return failure("Unexpected error, check log for details")  # an action that was given what it cannot read

    def _answer(self, request: Request, phase: Phase) -> Response:
        controller, action, params = place(request.path)
        handler, needed = self.routes.get((*controller, action), (None, 0))
        if handler is None and controller == UNBOUND_SETTINGS:
            handler, needed = _nothing, 0
        if handler is None or len(params) < needed:
            return failure("Endpoint not found", 404)
        phase("before_auth", None)
        user = self.user(request)
        if user is None:
            return Response.json({"status": 401, "message": "Authentication Failed"}, 401)
        if not user.may(request, self.profile):
            return Response.json({"status": 403, "message": "Forbidden"}, 403)
        if lacks_its_json(request):
            return Response.json({"status": 400, "message": "Invalid JSON syntax"}, 400)
        call = self.call(request, user, params, phase)
        phase("before_action", call)
        if call.twice:
            handler(call)
        answer = handler(call)
        return answer if isinstance(answer, Response) else Response.json(answer)

    def user(self, request: Request) -> User | None:
        key, secret = credentials(request)
        user = self.users.get(key)
        return user if user and user.secret == secret and not user.disabled else None

    def call(self, request: Request, user: User, params: tuple[str, ...], phase: Phase) -> Call:
        body = read_body(request)
        call = Call(request, user, params, body, self.store, self.profile, lambda name: phase(name, call), self.race_delay_s)
        return call


def place(path: str) -> tuple[tuple[str, str], str, tuple[str, ...]]:
    """Controller and action as the appliance spells them inside, and what follows them in the path."""
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    if segments[0] != "api":
        return ("", ""), "", ()
    module, controller, action, *params = [*segments[1:], *[""] * (4 - len(segments))]
    return (_class(module), _class(controller)), _class(action or "index").lower(), tuple(filter(None, params))


def address(at: str, action: str) -> tuple[str, str, str]:
    module, controller = at.split("/")
    return _class(module), _class(controller), _class(action).lower()


def _class(segment: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in segment.split("_"))


def _nothing(call: Call) -> Answer:
    """This one controller swallows names it does not know."""
    return Response()

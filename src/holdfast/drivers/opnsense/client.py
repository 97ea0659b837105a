"""Calls to one appliance: paged searches, single objects, writes on fresh connections, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.http.door import Answer, Door, Unheard, Unsent
from holdfast.drivers.opnsense.answers import FAILURES, Meaning, Reply, of_write
from holdfast.drivers.opnsense.lifeline import Lifeline
from holdfast.drivers.opnsense.rows import is_managed, is_uuid, of_get, of_row, options_in, tied_in
from holdfast.drivers.opnsense.veil import Veil
from holdfast.kinds.opnsense.field import NEWEST, OLDEST, number
from holdfast.kinds.opnsense.item import Appliance
from holdfast.kinds.opnsense.resources import Type, camel

PAGE_ROWS: Final = 1000
READ_TRIES: Final = 3
UNSERVED: Final = (502, 503, 504)  # the web server alone answered; what only reads is asked again
RETURNING_S: Final = (0.2, 0.4, 0.8, 1.6, 2.0)  # pauses in which a web server that an activation restarted comes back
PROFILES: Final = ("24.7", "25.1", "25.7", "26.1", "26.7")

BROUGHT: Final = {  # by version, newest first: a call that came with it
    "26.7": "interfaces/assignment/reconfigure",
    "26.1": "firewall/d_nat/search_rule",
    "25.7": "dnsmasq/settings/search_host",
    "25.1": "core/snapshots/search",
    "24.7": "firewall/filter/search_rule",
}
MODELLED: Final = {"firewall.rule": "rules", "nat.source": "snatrules", "nat.one_to_one": "onetoone"}

Sleep = Callable[[float], Awaitable[Any]]


class Limits(NamedTuple):
    """How long the appliance may take. A write waits for its lock, an activation for its services."""

    read_s: float = 15.0
    write_s: float = 60.0
    activation_s: float = 180.0
    new_connection_s: float = 5.0


LIMITS: Final = Limits()


class Client:
    def __init__(
        self,
        url: str,
        door: Door,
        veil: Veil,
        *,
        profile: str | None = None,
        sleep: Sleep = asyncio.sleep,
        limits: Limits = LIMITS,
    ) -> None:
        self._url = url.rstrip("/")
        self._door = door
        self.veil = veil
        self._declared = profile
        self._sleep = sleep
        self.limits = limits
        self._appliance: Appliance | None = None
        self._lifeline = Lifeline(door.line)
        self.tied: Mapping[str, str] = {}  # VLANs that are interfaces, as they were last searched
        self._hiding: set[str] = set()  # types of which the appliance may not show all
        self._cut_off = False  # new connections fail: what is left is the lifeline

    @property
    def sleep(self) -> Sleep:
        return self._sleep

    # -- what it is

    async def appliance(self) -> Appliance:
        if self._appliance is None:
            version = await self._version()
            self._appliance = Appliance(version, self._declared or profile_of(version))
        return self._appliance

    async def version(self) -> str:
        return (await self.appliance()).profile

    async def check_writable(self) -> None:
        """Raise where the key may only read: found out by a call that changes nothing."""
        answer = await self._spelled("GET", "core/backup/revert_backup/none", None)
        if answer.status == 500 and "errorTitle" in (answer.document or {}):
            hint = "use the key of a user who may change the configuration"
            raise WorldError(f"the key may only read from {self._url}", code="permission_denied", hint=hint)

    async def forbidden(self, calls: Iterable[str]) -> tuple[str, ...]:
        """Which of these writing calls the key may not make: read instead of written, they change nothing."""
        return tuple([path for path in calls if (await self._repeated("GET", path, None)).status == 403])

    async def remembers(self, tag: str) -> bool:
        """Does the history hold a write with this tag? Also where it may not be read: then it is not ruled out."""
        answer = await self.read("core/backup/backups/this", missing_ok=True)
        items = answer.get("items") if isinstance(answer, dict) else None
        told = (
            [str(item.get("description", "")) for item in items if isinstance(item, dict)] if isinstance(items, list) else None
        )
        return told is None or any(f"?txn={quote(tag, safe='')} " in f"{line} " for line in told)

    async def _version(self) -> str:
        answer = await self.read("diagnostics/system/system_information", missing_ok=True)
        versions = answer.get("versions") if isinstance(answer, dict) else None
        if isinstance(versions, list) and versions:
            return str(versions[0]).removeprefix("OPNsense ").partition("-")[0]
        answer = await self.read("core/firmware/info", missing_ok=True)
        version = answer.get("product_version") if isinstance(answer, dict) else None
        if version:
            return str(version)
        version = self._declared or await self._version_by_calls()
        if version:
            return version
        raise WorldError("the appliance does not tell its version", code="unsupported", hint="declare `profile` for the target")

    async def _version_by_calls(self) -> str:
        """The newest one whose calls are there: whoever comes without a key is told so, or that there is no such call."""
        stranger = self._door.line(known=False)
        try:
            for version, path in BROUGHT.items():
                answer = await stranger.ask("GET", f"{self._url}/api/{path}", timeout_s=self.limits.read_s, fresh=True)
                if answer.status == 401:
                    return version
        except (Unsent, Unheard):
            return ""
        finally:
            await stranger.close()
        return ""

    # -- reading

    async def read(self, path: str, *, body: Any = None, missing_ok: bool = False) -> Any:
        """A document; reading is repeated where the connection broke. None where the call is missing and may be."""
        answer = await self._spelled("GET" if body is None else "POST", path, body)
        if answer.status == 200:
            document = answer.document
            if document is None:
                raise WorldError(f"{self._url} does not answer as an appliance does", code="api_rejected", hint="check the URL")
            return document
        if missing_ok and answer.status in (403, 404):
            return None
        code, message = FAILURES.get(answer.status, ("api_rejected", f"the appliance answers {answer.status}"))
        raise WorldError(f"{message} ({path})", code=code)

    async def told(self, path: str, *, body: Any = None) -> Any:
        """A document that not every appliance has for every key: None where it answers with anything else."""
        try:
            return await self.read(path, body=body)
        except WorldError as error:
            if error.code in ("permission_denied", "unsupported", "api_rejected"):
                return None
            raise

    async def _spelled(self, method: str, path: str, body: Any) -> Answer:
        """What is forbidden may only be spelled otherwise: up to 25.1 privileges have their actions in camel case."""
        answer = await self._repeated(method, path, body)
        at, action, rest = _parts(path)
        if answer.status != 403 or action == camel(action):
            return answer
        return await self._repeated(method, "/".join((at, camel(action), *rest)), body)

    async def _repeated(self, method: str, path: str, body: Any) -> Answer:
        for attempt in range(1, READ_TRIES + 1):
            try:
                limit_s = self.limits.new_connection_s if self._cut_off else self.limits.read_s
                answer = await self._ask(method, path, body, limit_s, fresh=attempt > 1)
                if answer.status not in UNSERVED or attempt == READ_TRIES:
                    return answer
            except Unsent as error:
                if attempt == READ_TRIES or error.untrusted:
                    raise self._unreachable(error) from None
            except Unheard as error:
                if attempt == READ_TRIES or error.late:
                    code = "timeout" if error.late else "unreachable"
                    raise WorldError(f"{self._url}: {error}", code=code) from None
            await self._sleep(0.2 * attempt)
        raise AssertionError("unreachable")

    def _unreachable(self, error: Unsent) -> WorldError:
        if error.untrusted:
            hint = "name the right `ca` or `fingerprint` of the target"
            return WorldError(f"{self._url}: its certificate is not believed: {error}", code="host_key_mismatch", hint=hint)
        return WorldError(f"{self._url} cannot be reached: {error}", code="unreachable")

    async def rows(self, type_: Type) -> dict[str, Mapping[str, Any]]:
        """By uuid, what the searches show of every object of a type."""
        found: dict[str, Mapping[str, Any]] = {}
        path = type_.action("search", await self.version())
        async for extra in self._searches(type_):
            page = 1
            while True:
                answer = await self.read(path, body={"current": page, "rowCount": PAGE_ROWS, **extra})
                rows = answer.get("rows") if isinstance(answer, dict) else None
                if not isinstance(rows, list):
                    raise WorldError(f"the search for {type_.name} is not answered with rows", code="api_rejected")
                found.update((row["uuid"], row) for row in rows if is_managed(row))
                if not rows or page * PAGE_ROWS >= int(answer.get("total", 0)):
                    break
                page += 1
        return found

    async def _searches(self, type_: Type) -> AsyncIterator[dict[str, Any]]:
        """One search; of rules in some versions a second, because the first shows only those of no interface."""
        yield {}
        appliance = await self.appliance()
        if type_.name == "firewall.rule" and (25, 7) <= number(appliance.version) < (26, 1, 1):
            options = await self.options(type_)
            yield {"interface": ",".join(key for key in options.get("interface", {}) if key)}

    async def one(self, type_: Type, uuid: str) -> dict[str, str] | None:
        version = await self.version()
        found = of_get(type_, await self.read(f"{type_.action('get', version)}/{uuid}"), version)
        return None if found is None else self.veil.over(uuid, found)

    async def every(self, type_: Type) -> dict[str, dict[str, str]]:
        return {uuid: self.veil.over(uuid, values) for uuid, values in (await self._every(type_)).items()}

    async def unlisted(self, type_: Type, uuid: str) -> dict[str, str] | None:
        """An object that no list may show: 26.7 hides source rules where the mode gives them no effect."""
        return await self.one(type_, uuid) if type_.name in self._hiding else None

    async def _every(self, type_: Type) -> dict[str, dict[str, str]]:
        """By uuid, the values of every object of a type: by one search or one document, where that shows enough."""
        version = await self.version()
        if not type_.is_in(version):
            return {}
        old = number(version) < (25, 7)  # a search shows some columns only, and labels instead of values
        at_once = None
        if type_.name in MODELLED and (old or (type_.name == "nat.source" and number(version) >= (26, 7))):
            at_once = await self._modelled(type_)
        if type_.name == "firewall.alias" and old:
            at_once = await self._exported(type_)
        if at_once is not None:
            return at_once
        rows = await self.rows(type_)
        if type_.name == "interfaces.vlan":
            self.tied = tied_in(rows)
        if type_.whole and not old:
            return {uuid: of_row(type_, row, version) for uuid, row in rows.items()}
        return await self._each(type_, rows)

    async def _each(self, type_: Type, uuids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Where searches do not show enough."""
        found = {uuid: await self.one(type_, uuid) for uuid in uuids}
        return {uuid: values for uuid, values in found.items() if values is not None}

    async def _modelled(self, type_: Type) -> dict[str, dict[str, str]] | None:
        """All rules, from the document that holds the whole packet filter."""
        version = await self.version()
        rules = _inner(await self.read("firewall/filter/get", missing_ok=True), "filter", MODELLED[type_.name], "rule")
        if rules is None:
            self._hiding.add(type_.name)
            return None
        found = {uuid: of_get(type_, {type_.wrapper: shown}, version) for uuid, shown in rules.items() if is_uuid(uuid)}
        return {uuid: values for uuid, values in found.items() if values is not None}

    async def _exported(self, type_: Type) -> dict[str, dict[str, str]] | None:
        version = await self.version()
        rows = _inner(await self.read("firewall/alias/export", missing_ok=True), "aliases", "alias")
        return None if rows is None else {uuid: of_row(type_, row, version) for uuid, row in rows.items() if is_uuid(uuid)}

    async def options(self, type_: Type) -> dict[str, dict[str, str]]:
        if not type_.is_in(await self.version()):
            return {}
        return options_in(type_, await self.read(type_.action("get", await self.version()), missing_ok=True))

    # -- writing

    async def write(self, path: str, body: Any, *, tag: str = "", timeout_s: float | None = None) -> Reply:
        """One write, never repeated here: on a connection of its own, with the tag where the history shows it."""
        query = f"?txn={quote(tag, safe='')}" if tag else ""
        limit_s = self.limits.write_s if timeout_s is None else timeout_s
        try:
            return of_write(await self._ask("POST", path + query, body, limit_s, fresh=True))
        except Unsent as error:
            failure = self._unreachable(error).as_failure()
            return Reply(Meaning.REFUSED, None, failure)
        except Unheard as error:
            failure = Failure(code="timeout" if error.late else "unreachable", message=f"{path}: {error}", doubtful=True)
            return Reply(Meaning.UNKNOWN, None, failure)

    async def activation(self, path: str) -> Answer:
        """A call whose answer the caller reads; `Unsent` and `Unheard` pass through."""
        return await self._ask("POST", path, {}, self.limits.activation_s, fresh=True)

    # -- the way there

    async def _ask(self, method: str, path: str, body: Any, timeout_s: float, *, fresh: bool) -> Answer:
        url = f"{self._url}/api/{path}"
        if self._cut_off and self._lifeline.is_held:
            return await self._lifeline.ask(method, url, json_body=body, timeout_s=timeout_s)
        return await self._door.ask(method, url, json_body=body, timeout_s=timeout_s, fresh=fresh)

    async def hold_line(self, requests: int) -> None:
        """Have connections that outlive what an activation does to new ones, good for so many requests."""
        if not self._cut_off:
            await self._lifeline.hold(f"{self._url}/api/core/system/status", requests, self.limits.read_s)

    async def answers_anew(self) -> bool:
        """Is a new connection answered? Not at once, perhaps: an activation may restart the appliance's own web server."""
        ends_at = monotonic() + self.limits.new_connection_s
        for pause_s in (*RETURNING_S, 0.0):
            if await self._is_answered():
                return True
            if monotonic() >= ends_at:
                break
            await self._sleep(pause_s)
        return False

    async def _is_answered(self) -> bool:
        url, within_s = f"{self._url}/api/core/system/status", self.limits.new_connection_s
        try:
            answer = await self._door.ask("GET", url, timeout_s=within_s, fresh=True)
        except (Unsent, Unheard):
            self._cut_off = True
            return False
        self._cut_off = False
        return answer.status < 500 or answer.document is not None  # what is broken in a call of its own is not cut off

    async def drop_line(self) -> None:
        await self._lifeline.drop()

    async def close(self) -> None:
        self._appliance = None  # it may be another version by the next time
        await self.drop_line()
        await self._door.close()


def _inner(document: Any, *names: str) -> Mapping[str, Any] | None:
    """What lies at this place of a document, if it has the place; an empty map is shown as a list."""
    for name in names:
        if document == []:
            return {}
        document = document.get(name) if isinstance(document, dict) else None
    return {} if document == [] else document if isinstance(document, dict) else None


def _parts(path: str) -> tuple[str, str, list[str]]:
    """Module and controller, the action, and what follows it."""
    module, controller, action, *rest = path.split("/")
    return f"{module}/{controller}", action, rest


def profile_of(version: str) -> str:
    """The newest profile that is not newer than the version; a newer appliance is not guessed at."""
    here = number(version)[:2]
    if not here or here < number(OLDEST) or here > number(NEWEST):
        hint = "declare `profile` for the target to treat it like one of them"
        raise WorldError(f"the appliance is version {version}; known are {OLDEST} to {NEWEST}", code="unsupported", hint=hint)
    return [profile for profile in PROFILES if number(profile) <= here][-1]

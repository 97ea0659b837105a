"""Everything that is no list of items: activation, service state, verification, history, product version."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from holdfast.testing.opnsense import looking
from holdfast.testing.opnsense.api import address
from holdfast.testing.opnsense.call import Call, Refused
from holdfast.testing.opnsense.collection import FAILED, Answer, Handler
from holdfast.testing.opnsense.fixture import GENERAL, settings
from holdfast.testing.opnsense.runtime import SERVICES, Runtime
from holdfast.testing.opnsense.store import Author, Config, Revision, replaced
from holdfast.testing.opnsense.wire import Response, escaped
from holdfast.testing.opnsense.world import ALIAS

FILTERS: Final = ("filter", "source_nat", "one_to_one", "npt", "d_nat")
TIMEOUT_S: Final = 120.0
ROLLBACK_S: Final = 60.0
SAVEPOINT: Final = ("firewall.rule", "firewall.source_nat", "firewall.one_to_one", "firewall.npt")
Table = dict[tuple[str, str, str], tuple[Handler, int]]
EMPTY: Final = {"rows": [], "rowCount": 0, "total": 0, "current": 1}
_STATUS_FAILED: Final = {"status": "failed"}


class Actions:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.timers: set[str] = set()

    def table(self) -> Table:
        table: Table = {}
        for at, actions in self._actions().items():
            table |= {address(at, name): (handler, needed) for name, (handler, needed) in actions.items()}
        return table

    def _actions(self) -> dict[str, dict[str, tuple[Handler, int]]]:
        old = not self.runtime.profile.since("26.7")
        savepoints: dict[str, tuple[Handler, int]] = {
            "savepoint": (self.savepoint, 0),
            "cancel_rollback": (self.cancel_rollback, 1),
            "revert": (self.revert_savepoint, 1),
        }
        services = {f"{name}/service": self._service(name) for name in SERVICES}
        return {
            **{f"firewall/{name}": {"apply": (self.apply_filter, 0), **(savepoints if old else {})} for name in FILTERS},
            "firewall/alias": {"reconfigure": (self.activation(self.load_aliases), 0), "list_countries": (self.countries, 0)},
            "firewall/group": {"reconfigure": (self.activation(self.taking("ifgroup")), 0)},
            "interfaces/vlan_settings": {"reconfigure": (self.activation(self.taking("vlan")), 0)},
            "interfaces/assignment": {} if old else {"reconfigure": (self.activation(self.taking("assign")), 0)},
            "routes/routes": {"reconfigure": (self.activation(self.taking("route")), 0)},
            "routing/settings": {"reconfigure": (self.activation(self.taking("gateway")), 0)},
            "routing/group_settings": {} if old else {"reconfigure": (self.activation(self.taking("gateway")), 0)},
            **services,
            "haproxy/service": {**services["haproxy/service"], "configtest": (self.configtest, 0)},
            "haproxy/export": {"diff": (lambda call: {"response": looking.staged_difference(self.runtime)}, 0)},
            "haproxy/statistics": {"counters": (lambda call: looking.proxy_parts(self.runtime), 0)},
            "unbound/diagnostics": {"listlocaldata": (lambda call: looking.local_data(self.runtime), 0)},
            "diagnostics/interface": {"get_routes": (lambda call: looking.routes(self.runtime), 0)},
            **{f"{name}/settings": self._settings(name) for name in ("haproxy",)},
            "kea/dhcpv4": self._settings("kea", "dhcpv4"),
            "firewall/filter_util": {"rule_stats": (self.rule_stats, 0)},
            "firewall/alias_util": {"list": (self.alias_table, 1), "aliases": (self.alias_names, 0)},
            "routes/gateway": {"status": (self.gateway_status, 0)},
            "interfaces/overview": {"interfaces_info": (self.interfaces, 0), "export": (self.interfaces, 0)},
            "core/system": {"status": (self.system_status, 0), "dismiss_status": (self.dismiss, 0)},
            "core/firmware": {"info": (self.firmware, 0)},
            "core/snapshots": {"search": (lambda call: EMPTY, 0)} if self.runtime.profile.since("25.1") else {},
            "diagnostics/system": {"system_information": (self.information, 0)},
            "core/backup": {
                "providers": (self.providers, 0),
                "backups": (self.backups, 1),
                "diff": (self.diff, 3),
                "download": (self.download, 1),
                "revert_backup": (self.revert_backup, 1),
                "delete_backup": (self.delete_backup, 1),
            },
        }

    # Activation.

    def activation(self, load: Callable[[Config], None], stage: Callable[[Config], None] = lambda config: None) -> Handler:
        """`stage` is what happens in any case, before it turns out whether something else does."""

        def activate(call: Call) -> Answer:
            if not call.is_post:
                return _STATUS_FAILED
            stage(call.config)
            problem = self.through_backend(call, load)
            return {"status": "ok"} if problem is None else {"status": problem}

        return activate

    def taking(self, group: str) -> Callable[[Config], None]:
        return lambda config: self.runtime.take(group, config)

    def through_backend(self, call: Call, load: Callable[[Config], None]) -> str | None:
        """Do it, or say what the caller gets to see instead; after a time-out it is done all the same."""
        backend = call.backend or self.runtime.backend
        if backend == "down":
            return ""
        if backend.startswith("error"):
            return f"Error ({backend.partition(':')[2]})"
        if self.runtime.lies:
            self.runtime.lies -= 1
        elif self.runtime.activation_s:
            self.runtime.clock.after(self.runtime.activation_s, lambda: _loaded_late(load, call.config))
        else:
            load(call.config)
        call.phase("after_save")
        if backend == "timeout":
            self.runtime.clock.advance(TIMEOUT_S)
            return ""
        return None

    def load_aliases(self, config: Config) -> None:
        self.runtime.load_filter(config)
        self.runtime.take("alias", config)
        broken = [alias["name"] for alias in config[ALIAS].values() if "__bad__" in alias.get("content", "")]
        if broken:
            raise Refused(f"cannot load {', '.join(broken)}")

    def apply_filter(self, call: Call) -> Answer:
        if not call.is_post:
            return {"status": "error"}
        if call.first and not call.profile.since("26.7") and not self.timers:
            self.timers.add(call.first)
            self.runtime.clock.after(ROLLBACK_S, lambda: self.rolled_back(call))
        problem = self.through_backend(call, self.runtime.load_filter)
        return {"status": "OK\n\n" if problem is None else problem}

    def _service(self, name: str) -> dict[str, tuple[Handler, int]]:
        def become(state: str) -> Handler:
            def change(call: Call) -> Answer:
                if not call.is_post:
                    return _STATUS_FAILED
                self.runtime.status[name] = state
                return {"response": "OK"}

            return change

        stage = {"stage": self.runtime.stage} if name == "haproxy" else {}
        return {
            "status": (lambda call: {"status": self.runtime.service_status(name), "widget": {}}, 0),
            "start": (become("running"), 0),
            "stop": (become("stopped"), 0),
            "restart": (become("running"), 0),
            "reconfigure": (self.activation(lambda config: self.runtime.restart(name, config), **stage), 0),
        }

    def configtest(self, call: Call) -> Answer:
        complaints = self.runtime.haproxy_complaints(call.config)
        return {"result": "\n".join(complaints) or "Configuration file is valid"}

    def _settings(self, name: str, wrapper: str = "") -> dict[str, tuple[Handler, int]]:
        wrapper = wrapper or name

        def get(call: Call) -> Answer:
            return {wrapper: {"general": {"enabled": call.config[settings(name)][GENERAL]["enabled"]}}}

        def change(call: Call) -> Answer:
            enabled = call.body.get(wrapper, {}).get("general", {}).get("enabled")
            if not call.is_post or enabled is None:
                return FAILED
            if enabled not in ("0", "1"):
                return {"result": "failed", "validations": {f"{wrapper}.general.enabled": "must be 0 or 1"}}
            with call.writing() as world:
                call.save(replaced(world.config, settings(name), {GENERAL: {"enabled": enabled}}))
            return {"result": "saved"}

        return {"get": (get, 0), "set": (change, 0)}

    # The old savepoints: they restore only where a backup happens to have exactly the name of the revision.

    def savepoint(self, call: Call) -> Answer:
        if not call.is_post:
            return {"status": "error"}
        with call.writing(locked=False) as world:
            call.save(world.config)
        time = call.store.revisions[0].time
        exact = not call.profile.since("24.7")
        revision = f"{time:.4f}" if exact else f"{time:.2f}" if call.profile.since("25.7") else f"{time + 0.0001:.4f}"
        return {"status": "ok", "retention": str(call.store.retention), "revision": revision}

    def cancel_rollback(self, call: Call) -> Answer:
        self.timers.discard(call.first)
        return {"status": ""}

    def rolled_back(self, call: Call) -> None:
        if call.first in self.timers:
            self.timers.discard(call.first)
            self.restore_filter(call)

    def revert_savepoint(self, call: Call) -> Answer:
        return {"status": "ok"} if self.restore_filter(call) else {"status": "unknown savepoint"}

    def restore_filter(self, call: Call) -> bool:
        kept = call.store.revision(f"config-{call.first}.xml")
        if kept is None:
            return False
        config = {**call.store.config, **{path: kept.config.get(path, {}) for path in SAVEPOINT}}
        call.store.save(config, Author("root", "127.0.0.1", "", f"/api/firewall/filter/revert/{call.first}"))
        self.runtime.load_filter(config)
        return True

    # Looking.

    def rule_stats(self, call: Call) -> Answer:
        return {"status": "ok", "stats": self.runtime.rule_stats()}

    def alias_table(self, call: Call) -> Answer:
        loaded = [item for item in self.runtime.loaded[ALIAS].values() if item["name"] == call.first]
        entries = [entry for item in loaded for entry in item["content"].split("\n") if entry]
        return {"rows": [{"ip": entry} for entry in entries], "rowCount": len(entries), "total": len(entries), "current": 1}

    def alias_names(self, call: Call) -> Answer:
        return [item["name"] for item in self.runtime.loaded[ALIAS].values()]

    def countries(self, call: Call) -> Answer:
        return {"rows": [{"iso": "DE", "name": "Germany"}, {"iso": "NL", "name": "Netherlands"}], "total": 2}

    def gateway_status(self, call: Call) -> Answer:
        items = [{"name": item["name"], "address": item["gateway"], "status": "none"} for item in self.gateways()]
        return {"items": items, "status": "ok"}

    def gateways(self) -> list[Any]:
        return list(self.runtime.loaded["routing.gateway"].values())

    def interfaces(self, call: Call) -> Answer:
        rows = looking.devices(self.runtime)
        return {"rows": rows, "total": len(rows), "rowCount": len(rows), "current": 1}

    def system_status(self, call: Call) -> Answer:
        noticed = self.runtime.notices.get("firewall")
        bad = {"statusCode": -1, "status": "error", "message": "rules could not be loaded", "timestamp": str(noticed)}
        fine = {"statusCode": 2, "status": "ok", "message": "No problems were detected."}
        return {"subsystems": {"firewall": fine if noticed is None else bad}, "metadata": {"system": fine}}

    def dismiss(self, call: Call) -> Answer:
        if not call.is_post:
            return _STATUS_FAILED
        self.runtime.notices.pop(str(call.body.get("subject", "")), None)
        return {"status": "ok"}

    def firmware(self, call: Call) -> Answer:
        return {"product_id": "opnsense", "product_version": call.profile.name}

    def information(self, call: Call) -> Answer:
        return {"name": "firewall.example", "versions": [f"OPNsense {call.profile.name}-amd64", "FreeBSD 14.3", "OpenSSL 3.0"]}

    # History.

    def providers(self, call: Call) -> Answer:
        return {"items": {"this": {"description": "This Firewall", "dirname": "/conf/backup"}}}

    def backups(self, call: Call) -> Answer:
        digits = 2 if call.profile.since("25.7") else 4
        return {"items": [_listed(revision, digits) for revision in call.store.revisions]}

    def diff(self, call: Call) -> Answer:
        new, old = call.store.revision(call.params[1]), call.store.revision(call.params[2])
        if new is None or old is None:
            return {"items": []}
        lines = difflib.unified_diff(old.xml.splitlines(), new.xml.splitlines(), old.id, new.id, lineterm="")
        return {"items": [escaped(line) for line in lines]}

    def download(self, call: Call) -> Answer:
        revision = call.store.revision(call.second) if call.second else call.store.revisions[0]
        return {"status": "not_found"} if revision is None else Response(200, revision.xml.encode(), "application/octet-stream")

    def revert_backup(self, call: Call) -> Answer:
        """The whole configuration goes back, without a lock, and nothing is activated."""
        if call.user.read_only:
            raise Refused("this user may not change the configuration")
        if not call.is_post:
            return _STATUS_FAILED
        revision = call.store.revision(call.first)
        if revision is None:
            return {"status": "not_found"}
        with call.writing(locked=False):
            call.save(revision.config)
        return {"status": "reverted"}

    def delete_backup(self, call: Call) -> Answer:
        if call.user.read_only:
            raise Refused("this user may not change the configuration")
        if not call.is_post:
            return _STATUS_FAILED
        known = call.store.revision(call.first) is not None
        call.store.revisions = [revision for revision in call.store.revisions if revision.id != call.first]
        return {"status": "deleted" if known else "not_found"}


def _loaded_late(load: Callable[[Config], None], config: Config) -> None:
    """Nobody waits for an answer any more."""
    with suppress(Refused):
        load(config)


def _listed(revision: Revision, digits: int) -> dict[str, Any]:
    return {
        "time": f"{revision.time:.{digits}f}",
        "time_iso": f"{revision.time:.0f}",
        "description": revision.description,
        "username": revision.username,
        "filesize": revision.size,
        "id": revision.id,
    }

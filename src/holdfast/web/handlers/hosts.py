"""Hosts: what the newest runs found, and what the runs that are under way here know of them now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from holdfast.app.looking.reached import reached
from holdfast.web.serving import Call, Serving, page_of


def of_plans(serving: Serving, call: Call) -> dict[str, Any]:
    known = reached(serving.reading.journal)
    working = serving.workshop.hosts()  # after what takes long, so that all that is told of now is of one moment
    circuits = {host: state for hosts in working.values() for host, state in hosts.circuits().items()}
    found = [{**one.plain(), "circuit": circuits.get(one.target)} for one in known]
    statistics = [(run, hosts.connections.statistics()) for run, hosts in working.items()]
    pools = [{"run": run, **asdict(pool)} for run, pool in statistics if pool is not None]
    return {**page_of(call.query, "hosts", found), "pools": pools}

"""What tracers are told: hosts, sizes and codes; never words, values or passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import holdfast
from holdfast.ssh import Command, Script, Sudo, Transfer
from holdfast.ssh.front import Front
from tests.ssh.places import PASSWORD, QUICK, Hosts


def test_every_piece_of_work_is_a_span_without_secrets(hosts: Hosts) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    address = hosts.address(hosts.asked)
    with Front(QUICK, tracer=provider.get_tracer("test")) as ssh:
        sudo = Sudo(password=PASSWORD)
        ssh.run_command(Command("exit 3", host=address, sudo=sudo, env={"TOKEN": "canary-value"}, stdin="canary-input"))
        ssh.run_script(Script(content="echo canary-script", host=address))
        ssh.transfer(Transfer(host=address, source="/nonexistent", to="x"))
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"ssh.connect", "ssh.command", "ssh.script", "ssh.transfer"}
    told = dict(spans["ssh.command"].attributes or {})
    assert (told["sudo"], told["env_count"], told["exit_code"], told["error.code"]) == ("root", 1, 3, "command_failed")
    assert (told["timeout"], told["stdin_bytes"], told["stdout_bytes"]) == (QUICK.timeout_s, 12, 0)
    assert (spans["ssh.script"].attributes or {})["script_bytes"] == len("echo canary-script")
    assert (spans["ssh.connect"].attributes or {})["host"] == "127.0.0.1"
    assert (spans["ssh.transfer"].attributes or {})["error.code"] == "source_not_found"
    assert "canary" not in "".join(span.to_json() for span in spans.values())


def test_work_is_counted_and_timed(hosts: Hosts, tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    (tmp_path / "f").write_text("content")
    with Front(QUICK, meter=meter) as ssh:
        for line in ("true", "exit 3"):
            ssh.run_command(Command(line, host=hosts.address()))
        ssh.transfer(Transfer(host=hosts.address(), source=str(tmp_path / "f"), to="counted"))
    found = figures(reader)
    names = ("ssh.connect.total", "ssh.command.total", "ssh.command.failed", "ssh.transfer.total", "ssh.transfer.bytes")
    assert [found[name][0].value for name in names] == [1, 2, 1, 1, 7]
    assert found["ssh.command.failed"][0].attributes == {"error.code": "command_failed"}
    assert found["ssh.command.duration.seconds"][0].count == 2


def figures(reader: InMemoryMetricReader) -> dict[str, Any]:
    said = reader.get_metrics_data()
    assert said is not None
    metrics = [each for resource in said.resource_metrics for scope in resource.scope_metrics for each in scope.metrics]
    return {each.name: list(each.data.data_points) for each in metrics}


def test_the_hosts_of_a_plan_are_traced_as_well(hosts: Hosts, tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    server = hosts.server
    way = {"key": str(server.key), "known_hosts": str(server.known_hosts), "config": "none"}
    target = {"ssh": f"{hosts.plain}@127.0.0.1:{server.port}", **way}
    steps = [{"command": ["true"], "irreversible": True}]
    plan = holdfast.parse({"holdfast": 1, "name": "p", "targets": {"h": target}, "on": "h", "steps": steps})
    with holdfast.open(str(tmp_path), tracer=provider.get_tracer("test")) as hf:
        assert hf.apply(plan).ending == "committed"
    assert {"ssh.connect", "ssh.command", "executor.Execute"} <= {span.name for span in exporter.get_finished_spans()}

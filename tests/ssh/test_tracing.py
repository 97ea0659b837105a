"""What tracers are told: hosts, sizes and codes; never words, values or passwords."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

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
    assert (spans["ssh.transfer"].attributes or {})["error.code"] == "source_not_found"
    assert "canary" not in "".join(span.to_json() for span in spans.values())

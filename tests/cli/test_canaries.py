"""Planted secrets, one for every place a plan can name one: whatever a run writes, says or shows, none of them is in it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.conftest import Ended, Shell

PLACES = ("file", "environment", "input", "script", "header", "told", "from-file")
CANARIES = {place: f"canary/{place}+5f1c9a77e2&<{number}>" for number, place in enumerate(PLACES)}


class Parrot(BaseHTTPRequestHandler):
    """A service that repeats every header it got: in documents, and in its complaints."""

    document: dict[str, Any]

    def do_GET(self) -> None:
        self._say(200, self.document)

    def do_PUT(self) -> None:
        self.document.clear()
        self.document.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._say(200, {"got": dict(self.headers)})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(403 if self.path == "/angry" else 200, {"you sent": dict(self.headers)})

    def _say(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def parrot() -> Iterator[str]:
    handler = type("One", (Parrot,), {"document": {"level": 1}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def steps(parrot: str, home: Path, *, fails: bool) -> list[str]:
    def secret(place: str) -> str:
        return f"{{secret: env:CANARY_{place.upper()}}}"

    told = "angry" if fails else "calm"
    return [
        f"file: {home}/secret.conf\ncontent: {secret('file')}\nmode: '0600'\nid: file",
        f"file: {home}/other.conf\ncontent: {{secret: 'file:{home}/key'}}\nmode: '0600'",
        f"command: [sh, -c, 'echo $S; echo $S >&2']\nenv: {{S: {secret('environment')}}}\nundo: [sh, -c, 'echo $S']",
        f"command: [cat]\nstdin: {secret('input')}\nundo: 'true'",
        f"script: 'echo \"$S\"; env'\nenv: {{S: {secret('script')}}}\nundo: 'true'",
        f"config: {parrot}/config\nvalues: {{level: 2}}\nversion: '2'\nheaders: {{Authorization: {secret('header')}}}",
        f"broadcast: {parrot}/{told}\nmessage: {{say: hello}}\nheaders: {{Authorization: {secret('told')}}}\nneeds: [file]",
    ]


def said(shell: Shell, parrot: str) -> Iterator[Ended]:
    """A commit, taken back; a failure, in every form that anything can be asked about it."""
    good = shell.steps(*steps(parrot, shell.home, fails=False), name="good.yaml", plan="good")
    bad = shell.steps(*steps(parrot, shell.home, fails=True), name="bad.yaml", plan="bad")
    for plan in (good, bad):
        for words in (("plan", plan), ("plan", plan, "--json", "--show", "reverse"), ("rehearse", plan, "--json")):
            yield shell.process(*words)
        yield shell.process("plan", plan, "--out", f"{plan}.saved")
        yield shell.process("apply", plan, "--yes", "--debug", "--verbose", "--json")
        for words in (("show", "last", "--verbose"), ("events", "last", "--json"), ("history", "--json"), ("drift", "--json")):
            yield shell.process(*words)
        yield shell.process("checkpoint", "create", plan.partition(".")[0], "--json")
        yield shell.process("rollback", "last", "--yes", "--debug")
    yield shell.process("journal", "export")


def written(canary: str) -> set[bytes]:
    """The forms that a secret is likely to be written down in."""
    encoded = base64.b64encode(canary.encode()).decode()
    forms = {canary, quote(canary), quote(canary, safe=""), json.dumps(canary)[1:-1], encoded, canary[7:], canary[::-1]}
    return {form.encode() for form in forms}


def test_no_planted_secret_is_in_anything_that_is_written_said_or_shown(shell: Shell, parrot: str) -> None:
    for place, canary in CANARIES.items():
        shell.environment[f"CANARY_{place.upper()}"] = canary
    (shell.home / "key").write_text(CANARIES["from-file"])
    heard = list(said(shell, parrot))
    assert {ended.code for ended in heard} <= {0, 1, 2, 3}
    assert [run["ending"] for run in json.loads(shell.process("runs", "--json").out)["runs"]] == ["stuck", "rolled_back"]
    kept = {str(path): path.read_bytes() for path in shell.home.rglob("*") if path.is_file() and not before_image(shell, path)}
    kept |= {f"output {number}": (ended.out + ended.err).encode() for number, ended in enumerate(heard)}
    assert f"{shell.state}/journal/journal.db" in kept
    forms = [(place, form) for place, canary in CANARIES.items() for form in written(canary)]
    assert [(place, where) for place, form in forms for where in kept if form in kept[where]] == []


def before_image(shell: Shell, path: Path) -> bool:
    """Where files of people are kept, byte for byte, so that they can be given back; nobody else may look there."""
    rooms = [shell.state / "stash", shell.state / "objects"]
    assert all(room.stat().st_mode & 0o077 == 0 for room in rooms if room.exists())
    return path.name == "key" or any(path.is_relative_to(room) for room in rooms)


def test_the_sweep_finds_what_is_there(shell: Shell, parrot: str) -> None:
    """The same plan, with the secret written to a file that nothing takes back."""
    shell.environment["CANARY_FILE"] = CANARIES["file"]
    plan = shell.steps(f"file: {shell.home}/secret.conf\ncontent: {{secret: env:CANARY_FILE}}")
    assert shell.process("apply", plan, "--yes").code == 0
    assert any(form in (shell.home / "secret.conf").read_bytes() for form in written(CANARIES["file"]))

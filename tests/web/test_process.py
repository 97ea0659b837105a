"""`holdfast serve` as a process: what it prints, how it stops, what it finds when it starts again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.web.conftest import PATIENCE_S, Json, gate

SOURCE = str(Path(__file__).parents[2] / "src")


class Shell:
    """A state directory and a working directory, with the command line over them as real processes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": SOURCE,
            "HOLDFAST_STATE": str(home / "state"),
            "USER": "alice",
        }
        self.started: list[subprocess.Popen[str]] = []
        self.served: list[Served] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "holdfast", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=self.home, env=self.environment)
        self.started.append(process)
        return process

    def run(self, *words: str) -> tuple[int, Any]:
        process = self.start("--json", *words)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, json.loads(out) if out else err

    def serve(self, *words: str) -> Served:
        self.served.append(Served(self.start("serve", "--json", "--port", "0", *words)))
        return self.served[-1]


class Served:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        self.said: Json = json.loads(line)
        token = Path(self.said["token_file"]).read_text()
        self.client = httpx2.Client(
            base_url=self.said["url"], headers={"authorization": f"Bearer {token}"}, trust_env=False, verify=False, timeout=20
        )

    def begin(self, plan: Json) -> str:
        answer = self.client.post("/api/v1/runs", json={"plan": plan})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["run"])

    def until(self, run: str, wanted: Callable[[Json], Any]) -> Json:
        end = time.monotonic() + PATIENCE_S
        while not wanted(document := self.client.get(f"/api/v1/runs/{run}").json()):
            assert time.monotonic() < end, document
            time.sleep(0.02)
        found: Json = document
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    for served in shell.served:
        served.client.close()
    for process in shell.started:
        process.kill()
        process.communicate()


def two_stages(shell: Shell) -> Json:
    stages = [
        {"name": "one", "steps": [{"file": f"{shell.home}/one", "content": "1"}, gate(shell.home / "go")]},
        {"name": "two", "steps": [{"file": f"{shell.home}/two", "content": "2"}]},
    ]
    return {"holdfast": 1, "name": "web", "stages": stages}


def running(document: Json) -> bool:
    states = [step["state"] for task in document["tasks"] for stage in task["stages"] for step in stage["steps"]]
    return states[:2] == ["applied", "applying"]


def test_one_line_says_where_it_is_and_how_to_come_in(shell: Shell) -> None:
    served = shell.serve()
    assert sorted(served.said) == ["login_url", "token_file", "url"]
    assert served.said["url"].startswith("http://127.0.0.1:")
    assert served.said["login_url"].startswith(served.said["url"] + "/login?code=")
    assert Path(served.said["token_file"]) == shell.home / "state" / "api-token"
    assert served.client.get("/healthz").json() == {"ok": True}
    assert served.stop() == 0


def test_people_are_told_in_words(shell: Shell) -> None:
    process = shell.start("serve", "--port", "0")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert "http://127.0.0.1:" in lines[0] and "/login?code=" in lines[1] and "api-token" in lines[2]


def test_the_command_line_and_the_server_control_each_others_runs(shell: Shell) -> None:
    served = shell.serve()
    plan = shell.home / "plan.json"
    plan.write_text(json.dumps(two_stages(shell)))
    there = shell.start("apply", "--yes", "--json", "plan.json")
    while not (rows := served.client.get("/api/v1/runs").json()["runs"]):
        time.sleep(0.05)
    run = rows[0]["run"]
    served.until(run, running)
    assert served.client.post(f"/api/v1/runs/{run}/cancel").status_code == 202
    (shell.home / "go").touch()
    assert there.wait(PATIENCE_S) == 1  # cancelled by somebody else
    (shell.home / "go").unlink()
    run = served.begin(two_stages(shell))
    served.until(run, running)
    code, document = shell.run("cancel", run)
    assert (code, document["run"]) == (0, run)
    (shell.home / "go").touch()
    assert served.until(run, lambda found: found["ending"])["errors"][0]["code"] == "cancelled"
    assert shell.run("show", run)[1]["ending"] == "rolled_back"


def test_told_to_stop_it_lets_its_runs_rest_and_goes_on_with_them_when_it_starts_again(shell: Shell) -> None:
    served = shell.serve()
    run = served.begin(two_stages(shell))
    served.until(run, running)
    served.process.send_signal(signal.SIGTERM)
    served.until(run, lambda found: found["state"] == "pausing")
    (shell.home / "go").touch()
    assert served.process.wait(PATIENCE_S) == 0
    code, document = shell.run("show", run)
    assert (code, document["ending"], document["state"]) == (0, None, "paused")
    assert not (shell.home / "two").exists()
    again = shell.serve()
    assert again.until(run, lambda found: found["ending"])["ending"] == "committed"
    assert (shell.home / "two").read_text() == "2"


def stopped_with_a_queue(shell: Shell) -> tuple[str, str, str]:
    """A server that was told to stop while one run was under way and two others waited for its locks."""
    served = shell.serve()
    first = served.begin(two_stages(shell))
    served.until(first, running)
    second, third = (served.begin(two_stages(shell)) for _ in range(2))
    for run in (second, third):
        served.until(run, lambda found: found["state"] == "queued" and "waits" in found)
    served.process.send_signal(signal.SIGTERM)
    served.until(first, lambda found: found["state"] == "pausing")
    (shell.home / "go").touch()
    assert served.process.wait(PATIENCE_S) == 0
    return first, second, third


def test_told_to_stop_it_lets_what_waits_for_locks_rest_and_wait_on_in_the_same_order(shell: Shell) -> None:
    waiting = stopped_with_a_queue(shell)
    assert {run["state"] for run in shell.run("runs")[1]["runs"]} == {"paused"}
    again = shell.serve()
    found = [again.until(run, lambda document: document["ending"]) for run in waiting]
    assert {document["ending"] for document in found} == {"committed"}
    assert sorted(found, key=lambda document: str(document["started_at"])) == found


def test_what_rests_before_it_had_its_locks_can_be_cancelled_or_resumed_while_no_server_runs(shell: Shell) -> None:
    first, second, third = stopped_with_a_queue(shell)
    assert shell.run("cancel", second)[1]["ending"] == "rolled_back"  # although somebody else holds what it waited for
    assert shell.run("cancel", first)[1]["ending"] == "rolled_back"
    assert not (shell.home / "two").exists()
    assert shell.run("resume", third)[1]["ending"] == "committed"
    assert (shell.home / "two").read_text() == "2"


def test_a_reviewed_plan_that_waited_over_a_restart_is_applied_exactly_or_refused(shell: Shell) -> None:
    served = shell.serve()
    first = served.begin(two_stages(shell))
    served.until(first, running)
    seen = served.client.post("/api/v1/plans", json={"plan": two_stages(shell)}).json()
    wanted = {"id": seen["id"], "digest": seen["digest"]}
    second = str(served.client.post("/api/v1/runs", json=wanted).json()["run"])
    served.until(second, lambda found: "waits" in found)
    served.process.send_signal(signal.SIGTERM)
    served.until(first, lambda found: found["state"] == "pausing")
    (shell.home / "go").touch()
    assert served.process.wait(PATIENCE_S) == 0
    document = shell.serve().until(second, lambda found: found["ending"])
    assert (document["ending"], document["errors"][0]["code"]) == ("refused", "stale_plan")


def test_told_to_stop_it_does_not_wait_for_the_end_of_a_stage(shell: Shell) -> None:
    served = shell.serve()
    chain = [
        {"id": f"c{n}", **gate(shell.home / "go"), "needs": [f"c{n - 1}"] if n else []}
        if n < 2
        else {"id": f"c{n}", "file": f"{shell.home}/{n}", "content": "x", "needs": [f"c{n - 1}"]}
        for n in range(4)
    ]
    run = served.begin({"holdfast": 1, "name": "web", "steps": chain})
    served.until(run, lambda found: found["tasks"][0]["stages"][0]["steps"][0]["state"] == "applying")
    served.process.send_signal(signal.SIGTERM)
    served.until(run, lambda found: found["state"] == "pausing")
    (shell.home / "go").touch()
    assert served.process.wait(PATIENCE_S) == 0
    document = shell.run("show", run)[1]
    states = [step["state"] for step in document["tasks"][0]["stages"][0]["steps"]]
    assert (document["state"], states) == ("paused", ["applied", "pending", "pending", "pending"])
    again = shell.serve()
    document = again.until(run, lambda found: found["ending"])
    assert (document["ending"], document["executed"]) == ("committed", ["c0", "c1", "c2", "c3"])
    attempts = [step["attempts"] for step in document["tasks"][0]["stages"][0]["steps"]]
    assert attempts == [1, 1, 1, 1]


def test_a_run_that_a_person_paused_rests_on_when_the_server_starts_again(shell: Shell) -> None:
    served = shell.serve()
    run = served.begin(two_stages(shell))
    served.until(run, running)
    served.client.post(f"/api/v1/runs/{run}/pause")
    served.until(run, lambda found: found["state"] == "pausing")
    (shell.home / "go").touch()
    served.until(run, lambda found: found["state"] == "paused")
    served.stop()
    again = shell.serve()
    assert again.client.get(f"/api/v1/runs/{run}").json()["state"] == "paused"
    assert again.client.post(f"/api/v1/runs/{run}/resume").status_code == 202
    assert again.until(run, lambda found: found["ending"])["ending"] == "committed"


@pytest.mark.parametrize(("words", "ending"), [((), "rolled_back"), (("--recover", "resume"), "committed")])
def test_what_a_killed_server_left_is_finished_by_the_next(shell: Shell, words: tuple[str, ...], ending: str) -> None:
    served = shell.serve()
    plan = two_stages(shell)
    plan["stages"][0]["steps"][1]["check"] = ["test", "-e", f"{shell.home}/go"]
    run = served.begin(plan)
    served.until(run, running)
    served.stop(signal.SIGKILL)
    (shell.home / "go").touch()
    again = shell.serve(*words)
    assert again.until(run, lambda found: found["ending"])["ending"] == ending


def test_over_a_damaged_journal_everything_can_be_looked_at_and_nothing_is_done(shell: Shell) -> None:
    (shell.home / "plan.json").write_text(json.dumps(two_stages(shell)))
    (shell.home / "go").touch()
    run = shell.run("apply", "plan.json", "--yes")[1]["run"]
    database = sqlite3.connect(shell.home / "state/journal/journal.db")
    database.execute("UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'mallo') AS BLOB) WHERE seq = 1")
    database.commit()
    database.close()
    assert shell.run("journal", "verify")[0] == 3
    (shell.home / "two").unlink()
    code, refused = shell.run("apply", "plan.json", "--yes")
    assert (code, refused["error"]["code"], (shell.home / "two").exists()) == (3, "corrupt_journal", False)
    served = shell.serve()
    found = served.client.get("/api/v1/runs").json()["runs"]
    assert [row["run"] for row in found] == [run]
    assert "record 1" in served.client.get("/api/v1/session").json()["damage"]
    assert served.client.post("/api/v1/runs", json={"plan": two_stages(shell)}).status_code == 503
    assert served.stop() == 0
    assert served.process.stderr is not None and "record 1 is not what was written" in served.process.stderr.read()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--host", "0.0.0.0"), "invalid_value"),
        (("--host", "192.0.2.1"), "invalid_value"),
        (("--tls-cert", "cert.pem"), "invalid_value"),
        (("--tls-cert", "cert.pem", "--tls-key", "cert.pem"), "invalid_value"),
    ],
)
def test_it_refuses_to_listen_where_others_could_read(shell: Shell, words: tuple[str, ...], code: str) -> None:
    (shell.home / "cert.pem").write_text("")
    answer = shell.run("serve", "--port", "0", *words)
    assert (answer[0], answer[1]["error"]["code"]) == (2, code)


def test_a_port_that_is_taken_is_said_so(shell: Shell) -> None:
    served = shell.serve()
    port = served.said["url"].rpartition(":")[2]
    answer = shell.run("serve", "--port", port)
    assert (answer[0], answer[1]["error"]["code"]) == (4, "conflict")


def test_a_token_file_that_others_can_read_is_not_trusted(shell: Shell) -> None:
    shell.serve().stop()
    (shell.home / "state" / "api-token").chmod(0o644)
    code, document = shell.run("serve", "--port", "0")
    assert (code, document["error"]["code"]) == (4, "permission_denied")


def test_over_tls_it_serves_elsewhere(shell: Shell) -> None:
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subprocess.run([*make, *subject, "-keyout", "key.pem", "-out", "cert.pem"], check=True, cwd=shell.home, capture_output=True)
    served = shell.serve("--host", "0.0.0.0", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    port = served.said["url"].rpartition(":")[2]
    trusted = ssl.create_default_context(cafile=shell.home / "cert.pem")
    with httpx2.Client(verify=trusted, trust_env=False) as client:
        answer = client.get(f"https://localhost:{port}/healthz")
        assert answer.json() == {"ok": True}
        assert served.said["url"] == f"https://localhost:{port}"
        link = client.get(served.said["login_url"])
        assert "; Secure" in link.headers["set-cookie"]
        in_the_clear = client.get(f"https://localhost:{port}/healthz", headers={"origin": f"http://localhost:{port}"})
        assert in_the_clear.status_code == 403


def test_plans_are_confined_to_the_roots(shell: Shell) -> None:
    (shell.home / "in").mkdir()
    served = shell.serve("--root", str(shell.home / "in"))
    for path, status in ((f"{shell.home}/in/a", 200), (f"{shell.home}/out", 422), ("relative", 422)):
        plan = {"holdfast": 1, "name": "web", "steps": [{"file": path, "content": "x"}]}
        answer = served.client.post("/api/v1/plans", json={"plan": plan})
        assert answer.status_code == status, answer.text


def test_tokens_are_made_listed_and_revoked(shell: Shell) -> None:
    served = shell.serve()
    code, made = shell.run("token", "create", "--role", "viewer", "--tenant", "acme", "--expires", "30d", "--name", "wall")
    assert (code, made["role"], made["tenants"], made["name"]) == (0, "viewer", ["acme"], "wall")
    headers = {"authorization": f"Bearer {made['token']}"}
    assert served.client.get("/api/v1/runs", headers=headers).status_code == 200
    listed = shell.run("token", "list")[1]["tokens"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert made["token"] not in json.dumps(listed)
    assert shell.run("token", "revoke", made["id"])[0] == 0
    assert served.client.get("/api/v1/runs", headers=headers).status_code == 401
    assert shell.run("token", "revoke", made["id"])[1]["error"]["code"] == "not_found"


def test_the_doctor_looks_at_what_serving_depends_on(shell: Shell) -> None:
    shell.serve().stop()
    shell.run("token", "create", "--role", "viewer", "--expires", "1ms")
    code, document = shell.run("doctor")
    found = {check["name"]: check for check in document["checks"]}
    assert (code, found["server token"]["ok"], found["open files"]["ok"]) == (0, True, True)
    assert found["server tokens"]["message"] == "1 besides the owner's, 1 of them expired"
    (shell.home / "state" / "tokens.json").chmod(0o644)
    code, document = shell.run("doctor")
    found = {check["name"]: check for check in document["checks"]}
    assert (code, found["server tokens"]["ok"]) == (1, False)


def test_logs_and_traces_are_exported_where_the_variables_of_opentelemetry_say_so(shell: Shell) -> None:
    shell.environment |= {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_LOGS_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "console",
    }
    served = shell.serve()
    run = served.begin({"holdfast": 1, "name": "web", "steps": [{"file": f"{shell.home}/a", "content": "x"}]})
    served.until(run, lambda found: found["ending"])
    served.process.send_signal(signal.SIGTERM)
    out, err = served.process.communicate(timeout=PATIENCE_S)
    assert out == ""
    assert "executor.Execute" in err  # a span
    assert '"body": "execution_complete"' in err  # a log record
    assert "executor.executions.total" in err  # a metric

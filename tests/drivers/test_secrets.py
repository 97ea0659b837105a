"""Secrets: where they come from, and that no way of writing one down is shown."""

from __future__ import annotations

import base64
import html
import json
import os
import random
import shlex
import subprocess
from urllib.parse import quote, quote_plus

import pytest

from holdfast.core.errors import WorldError
from holdfast.drivers.output import Capture
from holdfast.drivers.secrets import MASK, Secrets
from holdfast.kinds.contract import Secret

KEY = "-----BEGIN KEY-----\n" + "\n".join(base64.b64encode(bytes([n]) * 48).decode() for n in range(5)) + "\n-----END KEY-----"

# Twenty-five kinds of secrets, as people have them.
KINDS = {
    "password": "correct-horse-battery",
    "short": "p4s",
    "with spaces": "two words and more",
    "single quote": "it's-a-secret",
    "double quote": 'say "sesame" now',
    "backslash": "C:\\keys\\private",
    "dollar": "pa$$word$HOME",
    "backtick": "run`me`now",
    "shell": "a;b&c|d>e<f(g)*?!#~",
    "percent": "100%25 sure%20",
    "plus and slash": "ab+/cd+/ef==",
    "question": "https://u:p@h/?a=1&b=2",
    "markup": "<b>&amp;'\"</b>",
    "newline": "first line\nsecond line",
    "tab": "left\tright-side",
    "unicode": "pässwörd-ñandú",
    "emoji": "🔑-of-the-🏰",
    "hex": "9f86d081884c7d659a2feaa0c55ad015",
    "base64": "aHVudGVyMi1odW50ZXIyLWh1bnRlcjI=",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "json": '{"type": "service_account", "key": "a\\nb"}',
    "private key": KEY,
    "long": "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4000)),
}

# The ways in which programs write them.
FORMS = {
    "plain": lambda v: v,
    "url": lambda v: quote(v, safe=""),
    "url path": quote,
    "form": quote_plus,
    "url, lower case": lambda v: "".join(part if len(part) == 1 else part.lower() for part in _percent(quote(v, safe=""))),
    "url twice": lambda v: quote(quote(v, safe=""), safe=""),
    "json": lambda v: json.dumps(v)[1:-1],
    "json in unicode": lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    "json in json": lambda v: json.dumps(json.dumps(v)[1:-1])[1:-1],
    "json with slashes": lambda v: json.dumps(v)[1:-1].replace("/", "\\/"),
    "shell quoted": shlex.quote,
    "bash quoted": lambda v: _in_bash('printf %s "${0@Q}"', v, "C.UTF-8"),
    "bash quoted, plain locale": lambda v: _in_bash('printf %s "${0@Q}"', v, "C"),
    "printf %q": lambda v: _in_bash('printf %q "$0"', v, "C.UTF-8"),
    "printf %q, plain locale": lambda v: _in_bash('printf %q "$0"', v, "C"),
    "python": lambda v: repr(v)[1:-1],
    "bytes": lambda v: repr(v.encode())[2:-1],
    "html": html.escape,
    "html text": lambda v: html.escape(v, quote=False),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 for urls": lambda v: base64.urlsafe_b64encode(v.encode()).decode(),
    "base64 without padding": lambda v: base64.b64encode(v.encode()).decode().rstrip("="),
    "wrapped base64": lambda v: (
        subprocess.run(["base64", "-w20"], input=v.encode(), capture_output=True).stdout.decode().strip()
    ),
    "base32": lambda v: base64.b32encode(v.encode()).decode(),
    "hex": lambda v: v.encode().hex(),
    "upper hex": lambda v: v.encode().hex().upper(),
    "hex with colons": lambda v: v.encode().hex(":"),
    "hex dump": lambda v: _said_by(["od", "-vAn", "-tx1"], v),
}


def _in_bash(line, value, locale):
    command = ["env", f"LC_ALL={locale}", "bash", "-c", line, value]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def _said_by(program, value):
    return subprocess.run(program, input=value.encode(), capture_output=True, check=True).stdout.decode().strip()


def _percent(text):
    while text:
        size = 3 if text[0] == "%" else 1
        yield text[:size]
        text = text[size:]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_form_of_a_secret_is_shown(kind, form):
    value, secrets = KINDS[kind], Secrets({"S": KINDS[kind]})
    secrets.value(Secret("env:S"))
    written = FORMS[form](value)
    shown = secrets.scrub(f"before [{written}] after")
    rest = shown.replace(MASK, "").removeprefix("before [").removesuffix("] after").strip("'$")
    assert rest == "", written


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:", "me:"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "short"])
def test_a_secret_inside_of_something_in_base64_is_not_shown(kind, before):
    secrets = Secrets({})
    secrets.remember(KINDS[kind])
    whole = base64.b64encode(f"{before}{KINDS[kind]}:after".encode()).decode()
    shown = secrets.scrub(whole)
    assert MASK in shown
    assert len(shown.replace(MASK, "")) <= len(base64.b64encode(f"{before}:after".encode())) + 4


def test_a_line_of_a_key_is_not_shown_either():
    secrets = Secrets({})
    secrets.remember(KEY)
    line = KEY.splitlines()[3]
    assert secrets.scrub(f"   | {line}\r\n") == f"   | {MASK}\r\n"


def test_what_is_no_secret_stays_as_it_is():
    secrets = Secrets({})
    for value in KINDS.values():
        secrets.remember(value)
    text = "Reloading the configuration of app: 200 OK (took 13 ms)\n"
    assert secrets.scrub(text) == text


def test_overlapping_secrets_leave_nothing_between_them():
    secrets = Secrets({})
    for value in ("abcdef", "defghi", "abcdefghi-more"):
        secrets.remember(value)
    assert secrets.scrub("<abcdefghi>") == f"<{MASK}>"
    assert secrets.scrub("<abcdefghi-more>") == f"<{MASK}>"
    assert secrets.scrub("abcdefabcdef") == MASK * 2


def test_a_secret_that_is_cut_at_an_edge_is_recognised_by_what_is_beyond():
    secrets = Secrets({})
    secrets.remember("hunter2-hunter2")
    text = "say hunter2-hunter2 and hunter2-hunter2 again"
    for start in range(len(text)):
        for end in range(start, len(text)):
            shown = secrets.scrub(text, start, end).replace(MASK, "")
            assert shown in text.replace("hunter2-hunter2", "")


@pytest.mark.parametrize("position", range(485, 520))
def test_a_secret_on_the_edge_of_what_is_left_out_is_not_shown(position):
    secrets = Secrets({})
    secrets.remember("hunter2-hunter2")
    for at in (position, 3000 - position):
        capture = Capture(1000, secrets.margin)
        for start in range(0, 3000, 7):
            whole = b"." * at + b"hunter2-hunter2" + b"." * (2985 - at)
            capture.feed(whole[start : start + 7])
        shown = secrets.show(capture)
        assert set(shown.replace(MASK, "").replace("\n[2000 bytes left out]\n", "")) == {"."}


def test_colours_within_a_secret_do_not_hide_it():
    secrets = Secrets({})
    secrets.remember("hunter2-hunter2")
    capture = Capture()
    capture.feed(b"grep says: \x1b[01;31mhunter2\x1b[0m-hunter2\r\n")
    assert secrets.show(capture) == f"grep says: {MASK}\n"


def test_an_empty_secret_hides_nothing():
    secrets = Secrets({"E": ""})
    assert secrets.value(Secret("env:E")) == ""
    assert secrets.scrub("text") == "text"


def test_a_text_is_itself():
    assert Secrets({}).value("plain") == "plain"


@pytest.mark.parametrize(("content", "value"), [("s\n", "s"), ("s", "s"), ("s\n\n", "s\n"), ("s\r\n", "s\r"), (" s ", " s ")])
def test_a_file_gives_its_content_without_the_last_newline(tmp_path, content, value):
    path = tmp_path / "secret"
    path.write_text(content, newline="")
    assert Secrets({}).value(Secret(f"file:{path}")) == value


def test_any_bytes_may_be_a_secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(bytes(range(1, 256)))
    assert Secrets({}).value(Secret(f"file:{path}")).encode("utf-8", "surrogateescape") == bytes(range(1, 256))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "not_found"),
        (lambda path: path.mkdir(), "not_found"),
        (lambda path: os.mkfifo(path), "invalid_value"),
        (lambda path: path.write_bytes(b"x" * 65537), "invalid_value"),
    ],
)
def test_what_is_no_small_file_is_no_secret(tmp_path, make, code):
    path = tmp_path / "secret"
    make(path)
    with pytest.raises(WorldError) as raised:
        Secrets({}).value(Secret(f"file:{path}"))
    assert raised.value.code == code


def test_a_missing_variable_is_named():
    with pytest.raises(WorldError, match="`env:NOPE` is not there"):
        Secrets({}).value(Secret("env:NOPE"))


def test_no_program_inherits_a_variable_that_holds_a_secret():
    secrets = Secrets({"PATH": "/bin", "USED": "u", "RESERVED": "r", "OTHER": "o"})
    secrets.value(Secret("env:USED"))
    secrets.reserve("env:RESERVED")
    assert secrets.inherited() == {"PATH": "/bin", "OTHER": "o"}

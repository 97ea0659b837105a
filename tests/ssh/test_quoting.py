"""Random text survives its way through the shells of this world, as a word and as a variable."""

from __future__ import annotations

import random
import subprocess

import pytest

from holdfast.core.errors import WorldError
from holdfast.ssh.quoting import assignments, encoded, joined, line_of, quote
from holdfast.ssh.wrapping import wrapped

STRINGS = 100_000
BATCH = 5_000
NASTY = "'\"`$\\!*?[]{}()<>|&;#~=%^ \t\n\r\x01\x7f\x81\x84\x88-a0é日\udcff\udc80😀"


def strings(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(NASTY, k=chance.randrange(12))) for _ in range(count)]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_a_hundred_thousand_random_words_come_back_unchanged(shell: str) -> None:
    words = strings(1, STRINGS)
    came: list[bytes] = []
    for start in range(0, STRINGS, BATCH):
        script = "".join(f"printf '%s\\0' {quote(word)}\n" for word in words[start : start + BATCH])
        said = subprocess.run([shell], input=encoded(script, "it"), capture_output=True, check=True)
        came += said.stdout.split(b"\0")[:-1]
    assert came == [encoded(word, "it") for word in words]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_a_thousand_random_variables_are_what_a_program_inherits(shell: str) -> None:
    values = {f"V{number}": value for number, value in enumerate(strings(2, 1_000))}
    wrap = wrapped(["env", "-0"], env=values)
    said = subprocess.run([shell, "-c", line_of(wrap.line)], input=wrap.env, capture_output=True, check=True)
    found = dict(entry.split(b"=", 1) for entry in said.stdout.split(b"\0")[:-1])
    assert {name: found[name.encode()] for name in values} == {name: encoded(text, name) for name, text in values.items()}


def test_a_first_word_with_an_equals_sign_is_a_program_and_no_assignment() -> None:
    assert joined(["A=b", "c"]) == "'A=b' c"


@pytest.mark.parametrize("name", ["", "A B", "A\n", "1A", "A=B", "$(x)"])
def test_what_is_no_name_of_a_variable_is_refused(name: str) -> None:
    with pytest.raises(WorldError, match="name of a variable"):
        assignments({name: "x"})

"""The engine travels to other hosts: it needs nothing but the standard library, and no newer Python than 3.8."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast

SOURCE = Path(holdfast.__file__).parent
LOADED = """
import sys
before = set(sys.modules)
import holdfast.drivers.files.engine
print(*sorted(set(sys.modules) - before))
"""
NEWER = {"removeprefix", "removesuffix", "bit_count", "pairwise"}


def loaded() -> list[str]:
    """What comes along when the engine is imported."""
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})\n{LOADED}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def travelling() -> list[Path]:
    names = [name for name in loaded() if name.startswith("holdfast.drivers.files.") or name.startswith("holdfast.kinds.")]
    return [SOURCE.parent / (name.replace(".", "/") + ".py") for name in names]


def test_it_imports_nothing_but_the_standard_library_and_itself() -> None:
    found = {name.partition(".")[0] for name in loaded()} - {"holdfast"}
    assert found <= {*sys.stdlib_module_names, "__mp_main__"}


def test_it_imports_neither_the_core_nor_the_contracts_nor_anything_slow() -> None:
    found = loaded()
    assert not [name for name in found if name.startswith(("holdfast.core", "holdfast.drivers.contract"))]
    assert not {"asyncio", "ctypes", "dataclasses", "msgspec", "inspect"}.intersection(found)


@pytest.mark.parametrize("path", travelling(), ids=lambda path: path.stem)
def test_it_is_understood_by_an_old_python(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    hidden = {id(part) for note in _annotations(tree) for part in ast.walk(note)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and id(node) not in hidden:
            assert node.value.id not in ("dict", "list", "tuple", "set", "type", "Callable", "Mapping"), ast.unparse(node)
        if isinstance(node, ast.Attribute):
            assert node.attr not in NEWER
        if isinstance(node, ast.Call):
            assert "strict" not in {keyword.arg for keyword in node.keywords}


def _annotations(tree: ast.AST) -> Iterator[ast.AST]:
    """What is never evaluated, thanks to `from __future__ import annotations`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns

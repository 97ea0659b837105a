"""What an answer of the appliance means: was it done, was it refused, or does nobody know?

Texts of errors are in the language of the user and say nothing to a program; only their shape does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from holdfast.core.errors import Failure
from holdfast.drivers.http.door import Answer
from holdfast.drivers.output import plain_text


class Meaning(Enum):
    DONE = "done"
    GONE = "gone"  # there was nothing to delete
    REFUSED = "refused"  # surely not done
    UNKNOWN = "unknown"  # it may have been done


@dataclass(frozen=True, slots=True)
class Reply:
    meaning: Meaning
    data: Any = None
    failure: Failure | None = None


def of_write(answer: Answer) -> Reply:
    early = _early(answer)
    if early is not None:
        return early
    data = answer.document
    result = data.get("result") if isinstance(data, dict) else None
    if result in ("saved", "deleted"):
        return Reply(Meaning.DONE, data)
    if result == "not found":
        return Reply(Meaning.GONE, data)
    if result == "failed":
        return Reply(Meaning.REFUSED, data, _refused(_validations(data)))
    return Reply(Meaning.UNKNOWN, data, _rejected(f"the answer makes no sense: {_shown(answer)}"))


def of_activation(answer: Answer) -> Reply:
    early = _early(answer)
    if early is not None:
        return early
    data = answer.document
    status = data.get("status") if isinstance(data, dict) else None
    if not isinstance(status, str):
        return Reply(Meaning.UNKNOWN, data, _rejected(f"the answer makes no sense: {_shown(answer)}"))
    if status.strip().lower() == "ok":
        return Reply(Meaning.DONE, data)
    if not status.strip():
        return Reply(Meaning.UNKNOWN, data, _rejected("the appliance's own services did not answer it in time"))
    return Reply(Meaning.REFUSED, data, _rejected(f"the appliance says: {plain_text(status.strip())}"))


def _early(answer: Answer) -> Reply | None:
    """What the status tells already."""
    if answer.status == 200:
        return None
    if answer.status in FAILURES:
        code, message = FAILURES[answer.status]
        return Reply(Meaning.REFUSED, answer.document, Failure(code=code, message=message))
    data = answer.document
    if answer.status == 500 and isinstance(data, dict) and "errorTitle" in data:
        return Reply(
            Meaning.REFUSED, data, _rejected(f"the appliance refuses: {plain_text(str(data.get('errorMessage', '')))}")
        )
    return Reply(Meaning.UNKNOWN, data, _rejected(f"the appliance answers {answer.status}: {_shown(answer)}"))


FAILURES = {
    400: ("api_rejected", "the appliance cannot read the request"),
    401: ("auth_failed", "the appliance does not accept the key and its secret"),
    403: ("permission_denied", "the key may not do this on the appliance"),
    404: ("unsupported", "this version of the appliance has no such call"),
}


def _validations(data: Any) -> str:
    found = data.get("validations")
    if not isinstance(found, dict):
        return "the appliance refuses the request without a reason"
    told = (f"{name}: {', '.join(text) if isinstance(text, list) else text}" for name, text in found.items())
    return plain_text("; ".join(told))


def _refused(message: str) -> Failure:
    return Failure(code="api_rejected", message=message, hint="correct the values; the appliance changed nothing")


def _rejected(message: str) -> Failure:
    return Failure(code="api_rejected", message=message)


def _shown(answer: Answer) -> str:
    return repr(plain_text(answer.text)[:120])

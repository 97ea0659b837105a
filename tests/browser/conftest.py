"""A real browser before a real server. Whatever a page does wrong beside what a test looks at fails the test as well:
an error on the console, a breach of the content security policy, a request that leaves the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, ViewportSize, sync_playwright

from holdfast.app.serving.tokens import OWNER, Caller
from tests.web.conftest import House

ROOT = Path(__file__).resolve().parents[2]
SHOTS = Path(os.environ.get("HOLDFAST_SCREENSHOTS", ROOT / ".dev/screenshots"))
AXE = ROOT / "dashboard/node_modules/axe-core/axe.min.js"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
PATIENCE_MS = 15_000
GRAVE = ("serious", "critical")
JUDGE = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)"


@pytest.fixture(scope="module")  # while it is open a loop runs in this process, where others would start their own
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.stop()


class Screen:
    """One person before the dashboard."""

    def __init__(self, page: Page, house: House) -> None:
        self.page = page
        self.house = house
        self.faults: list[str] = []
        self.expected: set[int] = set()  # statuses that are no fault here
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._check_console)
        page.on("pageerror", lambda error: self._fault(f"error: {error}"))
        page.on("request", lambda request: self._check_place(request.url))
        page.on("response", self._check_answer)

    def _fault(self, what: str) -> None:
        self.faults.append(what)

    def _check_console(self, said: ConsoleMessage) -> None:
        """What an answer of 400 or more makes the browser say is judged by the answer."""
        if said.type in ("error", "warning") and not said.text.startswith("Failed to load resource"):
            self._fault(f"console: {said.text}")

    def _check_place(self, url: str) -> None:
        if not url.startswith(self.house.server.url + "/"):
            self._fault(f"a request left the machine: {url}")

    def _check_answer(self, answer: Response) -> None:
        if answer.status >= 400 and answer.status not in self.expected:
            self._fault(f"{answer.status} from {answer.url}")

    def enter(self, caller: Caller = OWNER) -> None:
        self.page.goto(f"{self.house.server.url}/login?code={self.house.server.sessions.invite(caller)}")
        self.page.get_by_role("navigation", name="Pages").wait_for()

    def go(self, *parts: str) -> None:
        self.page.goto(f"{self.house.server.url}/#/{'/'.join(parts)}")

    def see(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def see_run(self, state: str) -> None:
        """The run on the screen has come to this, without anybody reloading."""
        self.page.get_by_role("heading", level=1).get_by_text(state, exact=True).wait_for()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def answer(self, name: str) -> str:
        """Press a button of the question that stands open; what the question said."""
        dialog = self.page.get_by_role("dialog")
        said = dialog.inner_text()
        dialog.get_by_role("button", name=name, exact=True).click()
        dialog.wait_for(state="hidden")
        return said

    def dress(self, scheme: Literal["light", "dark"]) -> None:
        self.page.emulate_media(color_scheme=scheme)
        self.page.locator(f"html[data-theme={scheme}]").wait_for()

    def shoot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def check_accessible(self) -> None:
        """axe-core finds nothing serious."""
        if self.page.evaluate("typeof axe === 'undefined'"):
            self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = self.page.evaluate(JUDGE)
        for fault in found:
            if fault["impact"] in GRAVE:
                self._fault(f"{fault['id']}: {fault['help']}: {[node['html'] for node in fault['nodes']][:5]}")

    @property
    def place(self) -> str:
        return urlsplit(self.page.url).fragment


OpenScreen = Callable[..., Screen]


@pytest.fixture
def open_screen(chromium: Browser, house: House) -> Iterator[OpenScreen]:
    """Screens of several people, each with a browser of its own."""
    opened: list[Screen] = []

    def make(caller: Caller | None = OWNER, size: ViewportSize = WIDE, dark: bool = False) -> Screen:
        context = chromium.new_context(viewport=size, color_scheme="dark" if dark else "light", reduced_motion="reduce")
        opened.append(Screen(context.new_page(), house))
        if caller is not None:
            opened[-1].enter(caller)
        return opened[-1]

    yield make
    for screen in opened:
        screen.page.context.close()
    assert [fault for screen in opened for fault in screen.faults] == []


@pytest.fixture
def screen(open_screen: OpenScreen) -> Screen:
    return open_screen()

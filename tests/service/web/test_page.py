"""Promises about the page in a real browser: what is seen, clicked and typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from oddcall.service.feedback import Feedback
from oddcall.service.history import History
from oddcall.service.state import StateDir
from oddcall.training.synthetic import attacks

#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
expect.set_options(timeout=120_000)
_HTML = "text/html; charset=utf-8"


@pytest.fixture
def page(browser: Browser, watching: Any) -> Iterator[Page]:
    """The overview in a window of its own; whatever goes wrong in the page fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    foreign: list[str] = []
    opened.on("request", lambda asked: foreign.append(asked.url))
    opened.goto(watching.address.link)
    expect(opened.locator(".tile")).to_have_count(4)
    expect(opened.locator("a.episode").first).to_be_visible()
    yield opened
    context.close()
    assert wrong == []
    assert [url for url in foreign if not url.startswith(watching.address.url)] == []


def fits(page: Page) -> None:
    """Nothing runs out of the page, once a change of its size was drawn."""
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth", timeout=120_000)


def tables_fit(page: Page) -> None:
    """No table has columns past the edge of its card."""
    page.wait_for_function(
        "[...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= e.clientWidth)",
        timeout=120_000,
    )


def scanned(page: Page) -> Any:
    return page.locator("a.episode", has_text="connect").first


def test_the_host_at_a_glance(page: Page) -> None:
    """State, budget, coverage and own cost are told, and the key is out of the address."""
    expect(page.locator(".tile").nth(0)).to_contain_text("Watching")
    expect(page.locator(".tile").nth(1)).to_contain_text("today")
    expect(page.locator(".tile").nth(2)).to_contain_text("Nothing lost")
    expect(page.locator(".tile").nth(3)).to_contain_text("of a core")
    expect(page.locator(".chart canvas")).to_have_count(2)
    expect(page.locator(".readout")).to_contain_text("alerts from p =")
    assert "key=" not in page.url


def test_the_page_is_drawn_when_it_has_loaded(browser: Browser, watching: Any) -> None:
    """Whoever may see it waits for no second answer, nor does a picture taken of it at once."""
    context = browser.new_context()
    opened = context.new_page()
    opened.route("**/api/**", lambda asked: asked.abort())
    opened.goto(watching.address.url, wait_until="load")
    assert opened.locator(".tile").count() == 4
    assert "Watching" in opened.locator(".tile").nth(0).inner_text()
    assert opened.locator("a.episode").count() > 0
    context.close()


def test_an_alert_is_explained_and_answered(page: Page, watching: Any) -> None:
    """A click opens it, with typical beside observed; a click tolerates it, another undoes that."""
    scanned(page).click()
    expect(page.locator(".sentence")).to_contain_text("connect")
    expect(page.locator(".ranges .bar svg circle").nth(2)).to_be_visible()
    expect(page.locator(".ranges")).to_contain_text("none")
    expect(page.locator(".facts", has_text="held against")).to_contain_text("its own baseline (")
    # What a process calls itself is text, never part of the page.
    expect(page.locator(".facts").first).to_contain_text("<b>app</b>")
    expect(page.locator(".facts b")).to_have_count(0)
    page.get_by_role("button", name="Tolerate").click()
    expect(page.locator(".panel .tolerates li").first).to_contain_text("connect")
    page.get_by_label("Note").fill("our own scanner")
    page.get_by_label("How long").select_option("86400")
    page.locator(".panel button.main").click()
    expect(page.locator(".answers")).to_contain_text("Tolerated by the page")
    expect(page.locator(".answers")).to_contain_text("our own scanner")
    given = watching.ask("api/feedback")[1]["given"][0]
    assert (given["verb"], given["note"], given["undone"]) == ("tolerate", "our own scanner", None)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".answers")).not_to_contain_text("Tolerated")
    assert watching.ask("api/feedback")[1]["given"][0]["undone"]


def test_an_answer_that_held_already_is_told_of(page: Page, watching: Any) -> None:
    """Who types a note to what another said meanwhile is told that it is not kept, and by whom."""
    scanned(page).click()
    page.get_by_role("button", name="Tolerate").click()
    page.get_by_label("Note").fill("mine")
    alert = page.url.rsplit("/", 1)[1]
    body = {"verb": "tolerate", "alert": alert, "note": "theirs"}
    assert watching.ask("api/feedback", body)[0] == 200
    page.locator(".panel button.main").click()
    told = page.locator(".answers [role=alert]")
    expect(told).to_contain_text("Said before by the page")
    expect(told).to_contain_text("nothing was added, nor the note.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".answers")).not_to_contain_text("Tolerated")
    expect(told).not_to_contain_text("Said before")


def test_what_came_back_says_when(page: Page) -> None:
    """An alert that came back says when it began, came back and was seen last."""

    def came_back(asked: Route) -> None:
        answer = asked.fetch()
        told = answer.json() | {"state": "closed", "returns": 2, "onset": "2023-11-14T10:13:20Z"}
        told |= {"back": "2023-11-15T11:16:39Z", "last": "2023-11-15T11:17:40Z"}
        asked.fulfill(response=answer, json=told)

    page.route("**/api/alerts/*", came_back)
    scanned(page).click()
    course = page.locator(".title")
    expect(course).to_contain_text("began 14 Nov")
    expect(course).to_contain_text("came back 2 times, last seen 15 Nov")
    who = page.locator(".facts").first
    expect(who).to_contain_text("2 times, the last at 15 Nov")
    expect(who).to_contain_text(":17:40")
    page.unroute_all(behavior="wait")


def test_what_updates_said_is_listed(page: Page) -> None:
    """Each line that said something else than the sentence above says it beside its time."""

    def more(asked: Route) -> None:
        answer = asked.fetch()
        told = answer.json()
        opened = told["history"][0]
        said = {**opened["explanation"], "sentence": "app loaded a kernel module."}
        told["history"].append(
            {**opened, "state": "update", "score": {**opened["score"], "p_value": 1.0}}
            | {"explanation": said}
        )
        asked.fulfill(response=answer, json=told)

    page.route("**/api/alerts/*", more)
    scanned(page).click()
    expect(page.locator(".sentence")).to_contain_text("connect")
    expect(page.locator("li .told").last).to_have_text("app loaded a kernel module.")
    expect(page.locator("li", has_text="update").last).to_contain_text("kernel module")
    page.unroute_all(behavior="wait")


def test_what_else_an_alert_shows_stands_in_its_row(page: Page) -> None:
    """The latest other kind in full, and how many more there are."""

    def more(asked: Route) -> None:
        answer = asked.fetch()
        told = answer.json()
        told["episodes"][0]["also"] = ["app loaded a kernel module.", "app slept."]
        asked.fulfill(response=answer, json=told)

    page.route("**/api/alerts?*", more)
    page.goto(page.url.split("#")[0] + "#/alerts")
    row = page.locator("a.episode").first
    expect(row.locator(".also")).to_have_text("Also: app loaded a kernel module. And 1 other kind.")
    page.unroute_all(behavior="wait")


def test_an_alert_that_shows_more_than_when_it_was_answered_is_unread(
    page: Page, watching: Any
) -> None:
    """Its row says so and looks read no longer; it can be acknowledged anew."""
    scanned(page).click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".answers")).to_contain_text("Acknowledged")
    alert = page.url.rsplit("/", 1)[1]
    Feedback(StateDir(watching.state).feedback).lapse(alert, "bpf")
    page.goto(page.url.split("#")[0] + "#/")
    row = page.locator(f"a.episode[href$='{alert}']")
    expect(row).to_contain_text("more since it was answered")
    expect(row).not_to_have_class(re.compile("answered"))
    row.click()
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()


def test_a_program_s_normal_is_shown(page: Page) -> None:
    """From the list to a program's page: its state, its calls with quantiles, its windows."""
    page.get_by_label("Find").fill("redis")
    page.locator("tbody a").first.click()
    expect(page.locator("h1")).to_have_text("redis-server")
    expect(page.locator(".pill").first).to_have_text("ready")
    expect(page.locator(".card").first).to_contain_text("Judged by its own baseline.")
    expect(page.locator(".ranges")).to_contain_text("epoll_wait")
    expect(page.locator(".chart canvas")).to_have_count(2)


def test_keys_alone_are_enough(page: Page) -> None:
    """Next, open, acknowledge, undo, back, find, help, all without a pointer."""
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".sentence")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".answers")).to_contain_text("Acknowledged by the page")
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tile")).to_have_count(4)
    page.keyboard.press("/")
    expect(page.get_by_label("Find")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keys")).not_to_be_visible()


def test_light_and_dark(page: Page) -> None:
    """It follows the system, and a key holds it light or dark over a reload."""
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.keyboard.press("t")
    assert page.evaluate(ground) == light
    page.keyboard.press("t")
    page.emulate_media(color_scheme="light")
    page.reload()
    expect(page.locator(".tile")).to_have_count(4)
    assert page.evaluate(ground) == dark


def test_what_happens_is_shown_without_asking(page: Page, watching: Any) -> None:
    """A new alert comes into the list by itself, and is said to who does not see it."""
    before = page.locator("a.episode").count()
    watching.source.more.put(attacks(5, 0)["shell"][0])
    expect(page.locator("a.episode")).to_have_count(before + 1)
    expect(page.locator("#news")).to_contain_text("New alert")


def test_all_alerts_are_turned_like_pages(page: Page, watching: Any) -> None:
    """Older and newer ones by click or key, where one was after looking at one, or of a program."""
    kept = History(watching.state / "history.sqlite")
    [first, *_] = watching.ask("api/alerts")[1]["episodes"]
    line = watching.ask(f"api/alerts/{first['id']}")[1]["history"][0]
    for i in range(60):
        id_ = f"{i:08x}-0000-5000-8000-000000000000"
        program = {**line["program"], "exe": f"/opt/made-up-{i:02d}", "comm": "made-up"}
        kept.add({**line, "id": id_, "episode_id": id_, "program": program})
    kept.close()
    page.goto(f"{watching.address.url}#/alerts")
    entries = page.locator("a.episode .name")
    expect(entries).to_have_count(25)
    expect(entries.first).to_have_text("made-up-59")
    page.get_by_role("button", name="Older").click()
    expect(entries.first).to_have_text("made-up-34")
    expect(page.locator(".episode.fresh")).to_have_count(0)
    page.keyboard.press("n")
    expect(entries.first).to_have_text("made-up-09")
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.keyboard.press("p")
    expect(page.locator(".turn")).to_contain_text("Page 2")
    expect(page.locator("a.episode").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("made-up-34")
    page.go_back()
    expect(entries.first).to_have_text("made-up-34")
    page.keyboard.press("/")
    page.keyboard.type("MADE-UP-07")
    expect(entries).to_have_text(["made-up-07"])
    expect(page.locator(".turn")).to_be_hidden()
    page.keyboard.press("Control+a")
    page.keyboard.type("nobody")
    expect(page.locator(".empty").first).to_contain_text("called nobody")
    page.set_viewport_size({"width": 390, "height": 844})
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Older")).to_be_visible()
    fits(page)


def test_it_fits_a_telephone(page: Page) -> None:
    """On 390 pixels nothing runs out of the page or of its card, on any view."""
    page.set_viewport_size({"width": 390, "height": 844})
    fits(page)
    tables_fit(page)
    scanned(page).click()
    expect(page.locator(".sentence")).to_be_visible()
    fits(page)
    page.route("**/api/programs/*", _far_down)
    page.locator(".title h1 a").click()
    expect(page.locator(".ranges > div").nth(3)).to_be_visible()
    expect(page.locator("p.mono")).to_contain_text("/opt/aaaa")
    fits(page)
    tables_fit(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.get_by_role("columnheader", name="seen")).to_be_visible()
    tables_fit(page)
    page.unroute_all(behavior="wait")


def _far_down(asked: Route) -> None:
    """Answer as the watch does, but of a program with long names, pids and figures."""
    answer = asked.fetch()
    told = answer.json() | {"exe": f"/opt/{'a' * 120}/bin/server"}
    process = {"comm": "gunicorn_master", "ended": True, "alert": True, "p": 1.23e-8}
    process |= {"calls_s": 123456.0, "errors_s": 12345.0, "seen": told["seen"]}
    told["processes"] = [process | {"pid": 4194300 + i} for i in range(3)]
    asked.fulfill(response=answer, json=told)


def test_a_stranger_is_asked_for_the_key(browser: Browser, watching: Any) -> None:
    """Who is not known is asked, told when it is wrong, and let in by the right key."""
    context = browser.new_context()
    opened = context.new_page()
    refused = '{"error": "this page is for who runs the watch", "fix": ""}'
    opened.route("**/api/state", lambda asked: asked.fulfill(status=401, body=refused))
    # The page as a stranger gets it: root, who is known, has it filled.
    empty = watching.ask("static/index.html")[1]
    opened.route(watching.address.url, lambda asked: asked.fulfill(body=empty, content_type=_HTML))
    opened.goto(watching.address.url)
    expect(opened.get_by_role("heading", name="Who is there?")).to_be_visible()
    opened.get_by_placeholder("Key").fill("a guess")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("alert").last).to_contain_text("that is not the key")
    opened.unroute_all()
    opened.get_by_placeholder("Key").fill(watching.address.key)
    opened.get_by_role("button", name="Open").click()
    expect(opened.locator(".tile")).to_have_count(4)
    context.close()

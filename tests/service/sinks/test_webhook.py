"""Promises about webhooks, against a server that is killed and begun anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.memory import Memory
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.transport import DeliveryError, RefusedError
from oddcall.service.sinks.webhook import Webhook

Records = Callable[[range], Any]


def test_one_alert_is_one_object(hook: Any, records: Records) -> None:
    """Each is POSTed as JSON with the headers that were asked for, and a key of its own."""
    endpoint = Endpoint(hook.url, {"Authorization": "Bearer s3cret"})
    Webhook(endpoint).send(records(range(2)))
    (first, body), (second, _) = hook.requests
    assert body == records(range(1))[0].body
    assert first["Content-Type"] == "application/json"
    assert first["Authorization"] == "Bearer s3cret"
    assert first["User-Agent"].startswith("oddcall/")
    assert first["Idempotency-Key"] == body["id"] != second["Idempotency-Key"]


def test_a_batch_is_an_array(hook: Any, records: Records) -> None:
    """Even of one; sent again it has the same key, and another batch has another."""
    sink = Webhook(Endpoint(hook.url), batch=10)
    for numbers in (range(3), range(3), range(3, 4)):
        sink.send(records(numbers))
    assert [len(body) for _, body in hook.requests] == [3, 3, 1]
    keys = [headers["Idempotency-Key"] for headers, _ in hook.requests]
    assert keys[0] == keys[1] != keys[2]


def test_certificates_are_verified(hook: Any, hook_context: Any, records: Records) -> None:
    """A server of an unknown authority gets nothing; of one that was named, everything."""
    hook.kill()
    hook.context = hook_context.server
    hook.start()
    with pytest.raises(DeliveryError, match="certificate verify failed"):
        Webhook(Endpoint(hook.url)).send(records(range(1)))
    assert hook.requests == []
    Webhook(Endpoint(hook.url, ca=hook_context.ca)).send(records(range(1)))
    assert len(hook.requests) == 1
    # The name is checked as well as the authority.
    elsewhere = Webhook(Endpoint(hook.url.replace("localhost", "127.0.0.1"), ca=hook_context.ca))
    with pytest.raises(DeliveryError, match=r"(?i)mismatch"):
        elsewhere.send(records(range(1)))


@pytest.mark.parametrize("status", [301, 307, 401, 404, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again(hook: Any, records: Records, status: int) -> None:
    """Nothing but 2xx is delivered, a redirect neither; the sentence says what was answered."""
    hook.status = lambda _body: status
    hook.headers = {"Location": "/elsewhere"}
    with pytest.raises(DeliveryError, match=rf"does not take it; got {status} ") as caught:
        Webhook(Endpoint(hook.url)).send(records(range(1)))
    assert not isinstance(caught.value, RefusedError)
    assert hook.requests == []


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_will_not_pass_is_refused(hook: Any, records: Records, status: int) -> None:
    """These are the alert's fault, not the server's."""
    hook.status = lambda _body: status
    with pytest.raises(RefusedError, match=f"got {status} "):
        Webhook(Endpoint(hook.url)).send(records(range(1)))


def test_a_wait_that_is_asked_for_is_known(hook: Any, records: Records) -> None:
    """Retry-After in seconds is passed on."""
    hook.status = lambda _body: 429
    for asked, after_s in (("7", 7.0), ("Wed, 21 Oct 2099 07:28:00 GMT", 0.0), ("-1", 0.0)):
        hook.headers = {"Retry-After": asked}
        with pytest.raises(DeliveryError) as caught:
            Webhook(Endpoint(hook.url)).send(records(range(1)))
        assert caught.value.after_s == after_s


def test_a_server_that_hangs_is_a_failure(hook: Any, records: Records) -> None:
    """It is not waited for longer than allowed."""
    hook.status = lambda _body: time.sleep(30) or 200
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="timed out"):
        Webhook(Endpoint(hook.url, timeout_s=0.2)).send(records(range(1)))
    assert time.monotonic() - began < 9, "less than what is allowed by default"


def test_secrets_are_not_told(hook: Any, records: Records) -> None:
    """Neither the path nor the password of a URL is in an error."""
    hook.kill()
    url = hook.url.replace("//", "//user:s3cret@").replace("/hook", "/t0ken?key=k3y")
    sink = Webhook(Endpoint(url))
    for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
        with pytest.raises(DeliveryError) as caught:
            attempt()
        said = str(caught.value)
        assert f"http://localhost:{hook.port} cannot be reached" in said
        assert not any(secret in said for secret in ("s3cret", "t0ken", "k3y"))


def test_any_answer_is_reach(hook: Any) -> None:
    """A server that is there is reachable, though it takes nothing but POST."""
    Webhook(Endpoint(hook.url)).reach()
    assert hook.requests == []


def test_one_poisoned_alert_of_a_batch(
    hook: Any, alert_of: Any, host: Any, screen: Any, hasty: Any, until: Any
) -> None:
    """A batch refused for one alert is sent one by one, so the others arrive."""
    bad = alert_of(4)["id"]
    hook.status = lambda body: 400 if bad in str(body) else 200
    settings = QueuedSettings(backoff=hasty)
    sink = Queued("hook", Webhook(Endpoint(hook.url), 8), Memory(100), host, screen.say, settings)
    for i in range(10):
        sink.send(alert_of(i))
    until(lambda: len(set(hook.ids)) == 9)
    sink.send(alert_of(10))
    sink.close()
    assert bad not in hook.ids
    assert {alert_of(i)["id"] for i in (*range(4), *range(5, 11))} <= set(hook.ids)
    assert sink.state.dropped.refused == 1

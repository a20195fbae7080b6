"""Promises about lines on a stream."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from oddcall.service.sinks.stream import Stream, Through
from oddcall.service.sinks.transport import DeliveryError, Record

Records = Callable[[range], Any]


def test_each_record_is_a_line(records: Records) -> None:
    """The body is written, at once, on one line of ASCII."""
    stream = io.StringIO()
    body = {"text": "é\n"}
    Stream(stream).send([Record(records(range(1))[0].alert, body), *records(range(1, 2))])
    first, second = stream.getvalue().splitlines()
    assert json.loads(first) == body
    assert json.loads(second)["process"]["pid"] == 101
    assert stream.getvalue().isascii()


def test_a_reader_that_left(records: Records) -> None:
    """Another may come: it is a failure like any other."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    with pytest.raises(DeliveryError, match="standard output cannot be reached; got Broken pipe"):
        Stream(stream).send(records(range(1)))
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_sink_without_a_thread_gets_the_body(records: Records) -> None:
    """What was shaped is handed on, and closing closes it."""

    class Plain:
        name, got, closed = "plain", [], False

        def send(self, alert: dict[str, Any]) -> None:
            self.got.append(alert)

        def close(self) -> None:
            self.closed = True

    plain = Plain()
    through = Through(plain)
    through.send([Record(records(range(1))[0].alert, {"a": 1})])
    through.close()
    assert plain.got == [{"a": 1}]
    assert plain.closed

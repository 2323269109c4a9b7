import io
import threading
import time

import pytest

from campaigns_project.wsgi import BodyDeadline, Readers


class Stalled:
    """A body whose read ends only with the client's connection."""

    def __init__(self):
        self.gone = threading.Event()

    def read(self, *size):
        self.gone.wait(10)
        return b""

    readline = read


def application(environ, start_response):
    """Answers 400 to a body that does not come, as the doors would."""
    try:
        said = environ["wsgi.input"].read(4) + environ["wsgi.input"].readline()
    except TimeoutError:
        start_response("400 Bad Request", [])
        return [b"late"]
    start_response("200 OK", [])
    return [said]


def call(app, body, length="9"):
    answered = {}

    def start_response(status, headers, exc_info=None):
        answered.update(status=status, headers=dict(headers))

    answer = app({"CONTENT_LENGTH": length, "wsgi.input": body}, start_response)
    return answer, answered


@pytest.mark.parametrize("length", ["9", "", None, "0", "garbage", "9" * 50])
def test_a_body_that_comes_passes_through(length):
    answer, answered = call(BodyDeadline(application), io.BytesIO(b"some body\nx"), length)

    assert (answer, answered) == ([b"some body\n"], {"status": "200 OK", "headers": {}})


def test_a_late_body_is_408_and_the_answer_ends_with_the_read():
    body = Stalled()
    answer, answered = call(BodyDeadline(application, seconds=0.05), body)
    parts = iter(answer)

    assert next(parts) == b"late"
    assert answered == {"status": "408 Request Timeout", "headers": {"Connection": "close"}}
    threading.Timer(0.05, body.gone.set).start()
    assert list(parts) == []
    answer.close()


def test_a_late_answer_closes_what_it_wraps():
    closed, body = [], Stalled()

    class Answer(list):
        def close(self):
            closed.append(True)

    def asks_twice(environ, start_response):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                environ["wsgi.input"].read()
        start_response("200 OK", [])
        return Answer([b"x"])

    answer, _ = call(BodyDeadline(asks_twice, seconds=0.05), body)
    body.gone.set()
    answer.close()

    assert closed == [True]


def test_stalled_bodies_hold_only_so_many_readers():
    body, readers = Stalled(), Readers(1)
    assert readers.start(body.read) is not None

    began = time.monotonic()
    assert readers.start(body.read) is None
    assert time.monotonic() - began < 1

    body.gone.set()
    assert readers.start(io.BytesIO(b"a").read).result(1) == b"a"


def test_a_body_without_a_free_reader_is_late_at_once():
    app, bodies = BodyDeadline(application, seconds=0.05), [Stalled() for _ in range(9)]

    answers = [call(app, body)[1]["status"] for body in bodies]

    assert answers == ["408 Request Timeout"] * 9
    for body in bodies:
        body.gone.set()

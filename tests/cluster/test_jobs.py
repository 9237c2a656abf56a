"""The client of the Jobs API: what it asks, and one clear message for each bad answer."""

import socket
import socketserver
import threading
import time
from contextlib import suppress

import pytest

from lora_lab.cluster.jobs import (
    Cluster,
    ForgottenError,
    RefusedError,
    UnreachableError,
    checked_address,
)
from lora_lab.errors import ConfigError, LabError
from tests.cluster.fake_head import TOKEN

HTML = (200, {"Content-Type": "text/html"}, "<html>Welcome to nginx</html>")


def test_a_job_from_its_beginning_to_its_end(head):
    cluster = Cluster(head.address + "/")
    assert cluster.check() == "2.60.0"
    cluster.submit("one", "python x", {"A": "1"}, {"sweep": "s"})
    asked = head.jobs["one"]["asked"]
    assert asked["entrypoint"] == "python x"
    assert asked["runtime_env"] == {"env_vars": {"A": "1"}}
    assert cluster.look("one").status == "RUNNING"
    head.logs["one"] = "a line\n"
    assert cluster.log("one") == "a line\n"
    cluster.stop("one")
    assert cluster.look("one").ended


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HTML, "a web page"),
        ((200, {"Content-Type": "text/plain"}, "hello"), "no JSON but 'text/plain'"),
        ((200, {"Content-Type": "application/json"}, "{}"), "no version of Ray"),
        ((200, {"Content-Type": "application/json"}, "[" * 9999), "no JSON"),
        ((404, {}, "not found"), "no Jobs API"),
        ((302, {"Location": "http://127.0.0.1:1/"}, ""), "another address"),
        ((500, {}, f"Traceback\nsent {TOKEN}"), "answers with an error, 500: sent …"),
    ],
)
def test_what_is_no_head_is_said_in_one_message(head, answer, words):
    head.answer = answer
    with pytest.raises(LabError, match=words) as caught:
        Cluster(head.address).check()
    assert TOKEN not in str(caught.value)
    assert len(head.asked) == 1  # nothing was followed


def test_another_version_of_the_jobs_api(head):
    head.version = "5"
    with pytest.raises(LabError, match="API is of version '5'; the lab speaks version 4"):
        Cluster(head.address).check()


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "asks for a token, and none is known"), ("wrong", "refuses the token"),
     ("two\nlines", "holds a blank, a line end")],
)  # fmt: skip
def test_a_token_that_does_not_open(head, token, words):
    with pytest.raises(LabError, match=words) as caught:
        Cluster(head.address, token).check()
    assert not token or token not in str(caught.value)


def test_the_token_comes_from_the_environment_and_no_proxy_sees_it(head, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    Cluster(head.address).check()
    assert head.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"
    monkeypatch.delenv("LORA_LAB_CLUSTER_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    Cluster(head.address).check()


def test_nothing_answers():
    with socket.socket() as free:  # bound, and listening to nobody
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match=r"Nothing answers at http://127.*refused"):
            Cluster(f"http://127.0.0.1:{free.getsockname()[1]}", "x").check()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CUT = [
    b"",  # a tunnel that nobody listens behind
    HEAD + b"Content-Length: 99\r\n\r\n",
    HEAD + b'Content-Length: 99\r\n\r\n{"ray_version": ',
    HEAD + b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"ray_version": ',
]


@pytest.fixture
def says():
    """A server that says so many bytes to whoever asks, and closes the connection."""
    servers = []

    def start(data):
        def handle(self):
            self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            self.wfile.write(data)

        kind = type("Handler", (socketserver.StreamRequestHandler,), {"handle": handle})
        server = socketserver.TCPServer(("127.0.0.1", 0), kind)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("data", CUT)
def test_an_answer_that_is_cut_short_is_asked_for_again(says, data):
    """As where a head is killed while it answers; it is no stranger because of that."""
    with pytest.raises(UnreachableError, match=r"closed before.*Is the head running, and the tun"):
        Cluster(says(data), "x").log("one")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "it speaks no HTTP"),
        (b"HTTP/1.1 500 no\r\nContent-Length: 99\r\n\r\nTrace", "with an error, 500: Trace"),
        (b"HTTP/1.1 500 no\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nT", "an error, 500: no"),
    ],
)
def test_what_is_cut_short_is_still_what_it_is(says, data, words):
    with pytest.raises(LabError, match=words):
        Cluster(says(data), "x").check()


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = [
    (CHUNKED + b"2\r\n[]\r\n" * 600_000, "more than|not whole"),
    (CHUNKED + b"-5\r\n", "closed before|speaks no HTTP"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000_000, "not whole after .* seconds"),
    (b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "another address"),
    (HEAD + b"\r\n[" + b"[]," * 600_000 + b"0]", "more than 1,048,576"),
]


@pytest.mark.parametrize(("data", "words"), ENDLESS, ids=range(len(ENDLESS)))
def test_an_answer_without_end_is_ended(says, monkeypatch, data, words):
    monkeypatch.setattr("lora_lab.cluster.jobs.WORK", 0.2)
    before = time.process_time()
    with pytest.raises(LabError, match=words):
        Cluster(says(data), "x").check()
    assert time.process_time() - before < 4  # that of the server in this process as well


@pytest.mark.parametrize(
    ("sent", "log"),
    [
        ('{"logs": "a\\n\\"[b]\\" \\u2603"}', 'a\n"[b]" \u2603'),
        ('  {"logs" : ""}\n', ""),
        ('{"logs": [' + "[]," * 10**6 + "0]}", None),  # 22 million would hold Python's lock
        ('{"logs": "a", "b": "c"}', None),
        ('{"logs": null}', None),
    ],
)
def test_a_log_is_one_text_and_nothing_else_is_read(says, sent, log):
    data = HEAD + b"\r\n" + sent.encode()
    if log is None:
        with pytest.raises(LabError, match="it sends no"):
            Cluster(says(data), "x").log("one")
    else:
        assert Cluster(says(data), "x").log("one") == log


@pytest.mark.parametrize(
    "text",
    ["", "HEAD:8265", "ftp://head", "http://", "http://me:secret@head:8265", "http://head:99999",
     "http://head?token=secret", "http://head:8265/#secret", "http://he ad", "http://head\n.org"],
)  # fmt: skip
def test_an_address_that_is_none(text):
    with pytest.raises(ConfigError, match="such as http://HEAD:8265") as caught:
        checked_address(text)
    assert "secret" not in str(caught.value)


def test_an_id_of_another_job_is_refused_and_a_lost_answer_is_none(head):
    cluster = Cluster(head.address)
    head.lose_answer = True  # as where the agent is slow: the job is there all the same
    cluster.submit("one", "python x", {}, {"sweep": "mine"})
    assert head.jobs["one"]["status"] == "RUNNING"
    cluster.submit("one", "python x", {}, {"sweep": "mine"})  # asked twice, begun once
    with pytest.raises(LabError, match="another job that is called one"):
        cluster.submit("one", "python x", {}, {"sweep": "another"})


def test_a_head_that_has_just_started_is_asked_again(head, monkeypatch):
    monkeypatch.setattr("lora_lab.cluster.jobs.LATE", (0.0, 0.0))
    head.unready = 2
    Cluster(head.address).submit("one", "python x", {}, {"sweep": "mine"})
    assert list(head.jobs) == ["one"]
    head.unready = 3
    with pytest.raises(RefusedError, match="No available agent to submit job, please try again"):
        Cluster(head.address).submit("two", "python x", {}, {"sweep": "mine"})
    assert list(head.jobs) == ["one"]


@pytest.mark.parametrize("says", [(None, ""), (504, "<html>"), (502, "")], ids=str)
def test_a_job_that_begins_later_than_anybody_waits_is_found(head, monkeypatch, says):
    head.no_answer = says
    monkeypatch.setattr("lora_lab.cluster.jobs.LATE", (0.0, 0.0))
    head.late = 2
    Cluster(head.address).submit("one", "python x", {}, {"sweep": "mine"})
    assert list(head.jobs) == ["one"]
    head.late = 9
    with pytest.raises(UnreachableError, match="Nothing answers"):
        Cluster(head.address).submit("two", "python x", {}, {"sweep": "mine"})


@pytest.mark.parametrize(("code", "times"), [(400, 1), (405, 1), (413, 1), (500, 3), (503, 3)])
def test_what_is_refused_for_good_is_not_asked_again(head, monkeypatch, code, times):
    monkeypatch.setattr("lora_lab.cluster.jobs.LATE", (0.0, 0.0))
    head.late, head.no_answer = 9, (code, "No such runtime_env")
    with pytest.raises(RefusedError, match=f"an error, {code}: No such runtime_env"):
        Cluster(head.address).submit("one", "python x", {}, {"sweep": "mine"})
    assert [method for method, *_ in head.asked].count("POST") == times


def test_a_head_that_has_forgotten(head):
    for ask in (Cluster.look, Cluster.log, Cluster.stop):
        with pytest.raises(ForgottenError, match="has forgotten the job"):
            ask(Cluster(head.address), "gone")


class Dripping(socketserver.BaseRequestHandler):
    """Sends a byte again and again, each in time; `begun` is what it sends at once."""

    begun = b""

    def handle(self):
        with suppress(OSError):
            self.request.sendall(self.begun)
            while not self.server.ended.wait(0.05):
                self.request.sendall(b" ")


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", r"not whole after 0\.3 seconds"),
        (b"HTTP/1.1 200 OK\r\nX: ", r"not whole after 0\.3 seconds"),
        (b"HTTP/1.1 500 no\r\nContent-Length: 99999\r\n\r\n", "an error, 500: no"),
    ],
    ids=["body", "head", "error"],
)
def test_an_answer_that_drips_is_ended(monkeypatch, begun, words):
    monkeypatch.setattr("lora_lab.cluster.jobs.WHOLE", 0.3)
    monkeypatch.setattr(Dripping, "begun", begun)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.ended = threading.Event()
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            with pytest.raises(LabError, match=words):
                Cluster(f"http://127.0.0.1:{server.server_address[1]}").check()
        finally:
            server.ended.set()
            server.shutdown()
            serving.join()

"""The cache of this machine is listed; a download shows progress, is cancelled, and fails well."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lora_lab.errors import Cancelled, CheckpointError
from lora_lab.models.hub import cached_models, download

SHA = "a" * 40
FILES = {
    "config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "README.md": b"no",
    "model.safetensors": bytes(3_000_000), "sub/model.safetensors": b"no",
}  # fmt: skip


class Hub(BaseHTTPRequestHandler):
    """What of the hub's answers its client asks for, for one repository."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/own/tiny"):
            files = [{"rfilename": n, "size": len(raw)} for n, raw in FILES.items()]
            said = json.dumps({"id": "own/tiny", "sha": SHA, "siblings": files}).encode()
            return self.send(200, said, body)
        prefix = f"/own/tiny/resolve/{SHA}/"
        if path.startswith(prefix) and path[len(prefix) :] in FILES:
            return self.send(200, FILES[path[len(prefix) :]], body)
        return self.send(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})

    def send(self, code, raw, body, more=()):
        self.send_response(code)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("ETag", f'"{hashlib.sha1(raw).hexdigest()}"')
        for name, value in dict(more).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(raw)


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="hub")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore")  # sockets that the client keeps open
def test_a_repository_comes_into_the_cache_and_is_listed_there(tmp_path, hub):
    told = []
    folder = download(
        "own/tiny", lambda what, share: told.append(share), cache=tmp_path, endpoint=hub
    )
    found = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert found == {
        n: len(FILES[n]) for n in ("config.json", "tokenizer.json", "model.safetensors")
    }
    shares = [share for share in told if share >= 0]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    (cached,) = cached_models(tmp_path)
    assert (cached.name, cached.folder) == ("own/tiny", str(folder))
    assert cached.bytes >= 3_000_000


@pytest.mark.filterwarnings("ignore")
def test_a_download_is_cancelled(tmp_path, hub):
    def give_up(what, share):
        if share > 0:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        download("own/tiny", give_up, cache=tmp_path, endpoint=hub)


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_there_is_said(tmp_path, hub):
    with pytest.raises(CheckpointError, match="no such repository"):
        download("own/other", cache=tmp_path, endpoint=hub)


def test_no_network_is_said(tmp_path, monkeypatch, hub):
    with pytest.raises(CheckpointError, match="cannot be reached"):
        download("own/tiny", cache=tmp_path, endpoint="http://127.0.0.1:9")


def test_an_offline_run_says_so_at_once(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="offline"):
        download("own/tiny")


@pytest.mark.parametrize("name", ["", "../x", "a/b/c", "/etc", "a b", "-x/y", "x/../y"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(CheckpointError, match="no name of a repository"):
        download(name)


def test_a_machine_without_a_cache_has_no_models(tmp_path):
    assert cached_models(tmp_path / "nowhere") == ()

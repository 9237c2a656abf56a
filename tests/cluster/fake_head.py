"""A head of no cluster: it answers the Jobs API as Ray 2.60 was seen to, from a table in memory."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "cd" * 32


class FakeHead:
    """Its jobs by id; `answer` in place of all else: (status, headers, body)."""

    def __init__(self):
        self.jobs, self.logs, self.asked = {}, {}, []
        self.answer, self.lose_answer, self.version = None, False, "4"
        self.unready = 0  # submissions that come before its agent stands
        self.late = 0  # times that a job is not known yet whose submission was not answered
        self.no_answer = None, ""  # in its place: the connection is closed, or what a gateway says
        self.begin = lambda head, id: None  # what a job does as soon as it is submitted
        self.address, self._coming = "", None

    def end(self, id, status, message=""):
        self.jobs[id].update(status=status, message=message)

    def reply(self, method, path, token, body):
        """Status and text, as Ray's."""
        if token is None:
            return 401, "Unauthorized: Missing authentication token"
        if token != f"Bearer {TOKEN}":
            return 403, "Forbidden: Invalid authentication token"
        if path == "/api/version":
            return 200, json.dumps({"version": self.version, "ray_version": "2.60.0"})
        if method == "POST" and self.unready and path == "/api/jobs/":
            self.unready -= 1
            return 500, "No available agent to submit job, please try again later."
        if method == "POST" and self.late and path == "/api/jobs/":
            self._coming = token, body
            return self.no_answer
        if method == "GET" and self.late and self._coming:
            self.late -= 1
            if not self.late:
                self.reply("POST", "/api/jobs/", *self._coming)
        if method == "POST" and path == "/api/jobs/":
            if body["submission_id"] in self.jobs:
                return 500, f"Traceback\nValueError: Job {body['submission_id']} already exists"
            self.jobs[body["submission_id"]] = {
                "status": "RUNNING", "message": "", "metadata": body["metadata"], "asked": body
            }  # fmt: skip
            self.begin(self, body["submission_id"])
            return (500, "Traceback\nTimeoutError") if self.lose_answer else (200, "{}")
        id, _, verb = path.removeprefix("/api/jobs/").partition("/")
        if id not in self.jobs:
            return 404, f"Job {id} does not exist"
        if verb == "logs":
            return 200, json.dumps({"logs": self.logs.get(id, "")})
        if verb == "stop":
            self.end(id, "STOPPED")
            return 200, json.dumps({"stopped": True})
        return 200, json.dumps(self.jobs[id])


@contextmanager
def fake_head():
    head = FakeHead()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            head.asked.append((self.command, self.path, dict(self.headers)))
            headers = {"Content-Type": "application/json"}
            if head.answer is not None:
                status, headers, text = head.answer
            else:
                token = self.headers.get("Authorization")
                status, text = head.reply(self.command, self.path, token, body)
            if status is None:
                return  # the connection is closed without a word
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *arguments):
            """Not on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    head.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield head
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

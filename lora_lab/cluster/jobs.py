"""Ray's Jobs API by plain HTTP: submit a job, ask how it stands, stop it, read its log.

Nothing of Ray is needed on this machine. The token goes into a header and nowhere else: not into an
address, a message or a file, and to no other host, since redirections and proxies are not followed.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, IncompleteRead, RemoteDisconnected
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from lora_lab.cluster.token import NAME, how_to_keep, token_for
from lora_lab.errors import ConfigError, LabError, system_reason
from lora_lab.names import shown
from lora_lab.time_limit import limited

API = "4"  # version of the Jobs API that is spoken here
PATIENCE, WHOLE = 30.0, 300.0  # seconds for a part of an answer, and for all of it
LATE = (1.0, 2.0, 4.0, 8.0)  # seconds between submissions of a job that was not begun
LARGEST = 2**26  # bytes of a log, which comes whole each time
SMALL = 2**20  # bytes of any other answer
WORK = 5.0  # seconds of processor time for an answer; a log of LARGEST takes a tenth of one
PIECE = 2**16  # bytes that are read at a time
LOG = re.compile(rb'\s*\{\s*"logs"\s*:\s*(".*")\s*\}\s*', re.DOTALL)
SUCCEEDED = "SUCCEEDED"
ENDED = (SUCCEEDED, "FAILED", "STOPPED")


class ForgottenError(LabError):
    """The cluster knows no job of this id: another head stands there, or it was deleted."""


class UnreachableError(LabError):
    """Nothing answers just now."""


class _TooSlow(LabError):
    def __init__(self) -> None:
        super().__init__(f"its answer is not whole after {WHOLE:g} seconds, {WORK:g} of them work")


@contextmanager
def _in_time() -> Iterator[None]:
    """An answer whose bytes come one by one would never end, nor one of empty pieces."""
    with limited(WORK, _TooSlow) as work:
        work.end_in(WHOLE)
        yield


@dataclass(frozen=True)
class Job:
    """How a job stands, by Ray's words, and what was said of it when it was submitted."""

    status: str
    message: str
    about: Mapping[str, str]

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirection would take the token to wherever it points; that is not even looked at."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class Cluster:
    """The head of one cluster."""

    def __init__(self, address: str, token: str | None = None) -> None:
        """`token`: None takes that of the environment or the keyring; raises ConfigError."""
        self.address = checked_address(address)
        self._token = _checked_token(token_for(self.address) if token is None else token)
        handlers = (urllib.request.ProxyHandler({}), _NoRedirect())
        self._opener = urllib.request.build_opener(*handlers)

    def check(self) -> str:
        """Ray's version there; raises LabError for whatever is no head that lets us in."""
        about = self._ask("GET", "/api/version")
        if not isinstance(about, dict) or not isinstance(about.get("ray_version"), str):
            raise self._no_head("it says no version of Ray")
        if about.get("version") != API:
            raise LabError(
                f"The cluster at {self.address} has Ray {shown(about['ray_version'])}, whose Jobs "
                f"API is of version {shown(about.get('version'))}; the lab speaks version {API}."
            )
        return about["ray_version"]

    def submit(
        self, id: str, command: str, environment: Mapping[str, str], about: Mapping[str, str]
    ) -> None:
        """Begin `command` there as the job `id`; raises LabError, also for an id of another job.

        An answer that was lost on its way is no failure: the job is looked for. Ray answers an id
        that it knows already with a failure of its own, 500.
        """
        asked = {
            "entrypoint": command, "submission_id": id, "metadata": dict(about),
            "runtime_env": {"env_vars": dict(environment)},
        }  # fmt: skip
        try:
            known = self.look(id)
        except ForgottenError:
            known = self._begun(id, asked)
        if known is not None and dict(known.about) != dict(about):
            raise LabError(f"The cluster has another job that is called {id}. Begin the sweep anew "
                           "for a new id.")  # fmt: skip

    def _begun(self, id: str, asked: Mapping[str, Any]) -> Job | None:
        """Submit a job: it as the head has it where its answer was none; raises LabError.

        A busy head may begin a job later than anybody waits for its answer, and one that has just
        started fails. Either can be asked again: of one id there is one job.
        """
        for seconds in (*LATE, None):
            try:
                self._ask("POST", "/api/jobs/", asked)
                return None
            except (UnreachableError, RefusedError) as error:
                failure = error
            with suppress(LabError):
                return self.look(id)
            if seconds is None or (isinstance(failure, RefusedError) and failure.for_good):
                break
            time.sleep(seconds)
        raise failure

    def look(self, id: str) -> Job:
        """How a job stands; raises ForgottenError and other LabErrors."""
        found = self._ask("GET", f"/api/jobs/{quote(id, safe='')}")
        if not isinstance(found, dict) or not isinstance(found.get("status"), str):
            raise self._no_head("it says nothing of the job")
        about = found.get("metadata")
        return Job(found["status"], str(found.get("message") or ""),
                   about if isinstance(about, dict) else {})  # fmt: skip

    def stop(self, id: str) -> None:
        """Ask for a job's end, which comes a few seconds later."""
        self._ask("POST", f"/api/jobs/{quote(id, safe='')}/stop")

    def log(self, id: str) -> str:
        """All that the job has written so far."""
        found = self._ask("GET", f"/api/jobs/{quote(id, safe='')}/logs", log=True)
        if not isinstance(found, str):
            raise self._no_head("it sends no log")
        return found

    # -- HTTP --------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Any = None, log: bool = False) -> Any:
        """What is answered; of a `log` its text alone, since any other JSON might be of 22 million
        lists, which take gigabytes and seconds of Python's lock."""
        most = LARGEST if log else SMALL
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self.address + path, data=data, headers=headers, method=method
        )
        try:
            with _in_time(), self._opener.open(request, timeout=PATIENCE) as answer:
                raw, kind = bytearray(), answer.headers.get_content_type()
                while len(raw) <= most and (piece := answer.read1(PIECE)):
                    raw += piece
                broken = bool(answer.length) and len(raw) <= most
        except HTTPError as error:
            raise self._refused(error, path) from None
        except URLError as error:
            raise self._unreachable(error.reason) from None
        except (RemoteDisconnected, IncompleteRead):  # a tunnel without a head does so as well
            broken = True
        except (HTTPException, ValueError) as error:  # the latter of a length below zero
            raise self._no_head(f"it speaks no HTTP ({type(error).__name__})") from None
        except (OSError, _TooSlow) as error:
            raise self._unreachable(error) from None
        if broken:
            raise self._unreachable("the connection was closed before the answer was whole")
        if len(raw) > most:
            raise self._no_head(f"it sends more than {most:,} bytes")
        if log and (found := LOG.fullmatch(raw)) is not None:
            raw = bytearray(found[1])
        elif log:
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            what = "a web page" if kind == "text/html" else f"no JSON but {shown(kind)}"
            raise self._no_head(f"it sends {what}") from None

    def _refused(self, error: HTTPError, path: str) -> LabError:
        """What an answer means that is no success."""
        said = ""
        with error, suppress(OSError, HTTPException, _TooSlow), _in_time():  # it may be cut short
            said = error.read(2**16).decode("utf-8", "replace").strip()
        if error.code in (401, 403):
            if not self._token:
                return LabError(
                    f"The cluster at {self.address} asks for a token, and none is known here: "
                    f"{how_to_keep(self.address)}"
                )
            return LabError(
                f"The cluster at {self.address} refuses the token. {how_to_keep(self.address)}"
            )
        if 300 <= error.code < 400:
            return self._no_head("it sends us to another address, where the token is not to go")
        if error.code == 404 and path.startswith("/api/jobs/") and "does not exist" in said:
            return ForgottenError(f"The cluster at {self.address} has forgotten the job.")
        if error.code == 404:
            return self._no_head("it has no Jobs API")
        if error.code in (502, 504):  # of a gateway: the head may have done what it was asked
            return self._unreachable(f"a gateway says {error.code}, and not what came of it")
        line = self._hidden(said.splitlines()[-1])[:300] if said else error.reason
        text = f"The cluster at {self.address} answers with an error, {error.code}: "
        return RefusedError(text + self._hidden(str(line)), for_good=error.code < 500)

    def _hidden(self, text: str) -> str:
        """A stranger may send back what it was sent."""
        return text.replace(self._token, "…") if self._token else text

    def _no_head(self, why: str) -> LabError:
        return LabError(f"What answers at {self.address} is no head of a Ray cluster: {why}. Name "
                        "its dashboard, such as http://HEAD:8265.")  # fmt: skip

    def _unreachable(self, reason: object) -> LabError:
        why = system_reason(reason) if isinstance(reason, Exception) else str(reason)
        return UnreachableError(
            f"Nothing answers at {self.address}: {why}. Is the head running, and the tunnel open?"
        )


class RefusedError(LabError):
    """The head says that it failed; or, `for_good`, that what it was asked is wrong."""

    def __init__(self, message: str, for_good: bool) -> None:
        super().__init__(message)
        self.for_good = for_good


def checked_address(text: str) -> str:
    """http://host:port, without a slash at its end; raises ConfigError."""
    words = "The address of a cluster is such as http://HEAD:8265"
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{words}: {shown(text)} is none ({error}).") from None
    if parts.username or parts.password:  # it would be stored with the address
        raise ConfigError(f"{words}, without a name or a password. A token belongs into {NAME}.")
    if parts.query or parts.fragment:
        raise ConfigError(f"{words}, with nothing behind it. A token belongs into {NAME}.")
    plain = text.isascii() and text.isprintable() and " " not in text.strip()
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise ConfigError(f"{words}: {shown(text)} is none.")
    inside = f"[{host}]" if ":" in host else host
    place = f"{parts.scheme}://{inside}" + (f":{port}" if port is not None else "")
    return place + parts.path.rstrip("/")


def _checked_token(token: str) -> str:
    """One that a header can hold; raises ConfigError, in which it is not said."""
    token = token.strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError("The cluster's token holds a blank, a line end or a letter that no token "
                          "has. Copy it anew.")  # fmt: skip
    return token

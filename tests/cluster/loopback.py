"""A Ray cluster on loopback alone: every process of it lives in namespaces that end with one kill.

Ray binds to all addresses of a machine whatever it is told, so it gets a network of its own that
has nothing but `lo`; and a tree of processes of its own, so that none outlives the test, or
whoever runs it.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import lora_lab
from tests.waiting import wait_until

ROOT = Path(lora_lab.__file__).resolve().parents[1]
ADDRESS, TOKEN = "http://127.0.0.1:8265", "ab" * 32
HEAD = (
    "start", "--head", "--num-cpus=3", "--dashboard-host=127.0.0.1", "--disable-usage-stats",
    "--object-store-memory=80000000",
)  # fmt: skip
TOOLS = ("unshare", "nsenter", "setpriv", "ip", "ps")
# The last process in there ends with the first, and that with us, however we end.
NAMESPACES = ("setpriv", "--pdeathsig", "KILL", "unshare", "-n", "-p", "-f", "--kill-child",
              "--mount-proc")  # fmt: skip


def why_not():
    """Why no cluster can be had here; "" where one can."""
    if importlib.util.find_spec("ray") is None:
        return "ray is not installed: the extra cluster brings it"
    if missing := [name for name in TOOLS if not shutil.which(name)]:
        return f"{', '.join(missing)}: not installed"
    needed = "ip link set lo up && nsenter -t 1 -n -p -m ps -o pid= >/dev/null"
    tried = subprocess.run([*NAMESPACES, "sh", "-c", needed], check=False, capture_output=True,
                           text=True)  # fmt: skip
    words = tried.stderr.strip().splitlines() or [f"code {tried.returncode}"]
    return "" if tried.returncode == 0 else f"no namespaces to be had here: {words[-1]}"


class Loopback:
    """A head in its namespaces; `kill` ends all of it, and `start` begins another one."""

    def __init__(self, home):
        """User data of whoever runs in the cluster lie in `home`."""
        self._home = home
        self.start()

    def start(self):
        self._folder = Path(tempfile.mkdtemp(prefix="ray"))  # sockets want short names
        holder = [*NAMESPACES, "sleep", "infinity"]
        self._outer = subprocess.Popen(holder, stdout=subprocess.DEVNULL)
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        self._inner = wait_until(lambda: children.read_text().split())[0]
        wait_until(lambda: Path(f"/proc/{self._inner}/comm").read_text() == "sleep\n")
        head = [sys.executable, "-m", "ray.scripts.scripts", *HEAD, f"--temp-dir={self._folder}"]
        try:
            self.run(["ip", "link", "set", "lo", "up"])
            self.run(head, timeout=100)
        except BaseException:
            self.kill()
            raise

    def inside(self, *command):
        """A command line that runs there."""
        return ["nsenter", "-t", self._inner, "-n", "-p", "-m", *command]

    def run(self, command, **more):
        done = subprocess.run(self.inside(*command), env=self.environment(), text=True, check=False,
                              capture_output=True, **more)  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def environment(self, home=None):
        """Of the head and its jobs, or of a person there with user data of their own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN} if home is None else {}
        bin, known = Path(sys.executable).parent, os.environ.get("PYTHONPATH")
        modules = os.pathsep.join([str(ROOT), *([known] if known else [])])
        return {
            **kept,
            **own,
            "LORA_LAB_HOME": str(home or self._home),
            "OMP_NUM_THREADS": "1",
            "PATH": f"{bin}:{os.environ['PATH']}",
            "PYTHONPATH": modules,
        }

    def pids(self, words):
        """Processes in there whose command line holds `words`, by their numbers in there."""
        found = self.run(["ps", "-eww", "-o", "pid=,args="])
        return [line.split()[0] for line in found.splitlines() if words in line.split(None, 1)[1]]

    def kill_inside(self, pids, number=signal.SIGKILL):
        """Whether these processes were there to be sent the signal."""
        command = self.inside("kill", f"-{int(number)}", *pids)
        return bool(pids) and not subprocess.run(command, check=False, stderr=subprocess.DEVNULL
                                                 ).returncode  # fmt: skip

    def kill(self):
        """All of its processes at once, as when the machine loses its power."""
        os.kill(int(self._inner), signal.SIGKILL)
        self._outer.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

"""Who may import whom, held as one dict and checked on every file; and the habits of the house."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import lora_lab

PACKAGE = Path(lora_lab.__file__).resolve().parent
ROOT = PACKAGE.parent
TOOLKIT = {"PySide6", "pyqtgraph", "superqt", "shiboken6", "qtpy"}

PLAIN = {
    "exported",
    "measured",
    "rules",
    "config",
    "records",
    "hyperparameters",
    "opening_records",
    "errors",
    "paths",
    "atomic",
    "presets",
    "variants",
    "inits",
    "projections",
    "task_info",
    "beyond_peft",
    "choices",
    "device_name",
    "setting",
    "number_text",
    "sampling",
    "allocator",
    "progress",
    "plain",
    "names",
    "figures",
    "door",
    "time_limit",
    "zip_directory",
    "json_size",
    "folders",
    "awake",
    "garbage",
    "desktop_note",
}
ENGINE = {
    "apart",
    "cluster",
    "engine",
    "blocks",
    "intrinsic",
    "lessons",
    "race",
    "studies",
    "training",
    "runs",
    "workshop",
    "formats",
    "models",
    "data",
    "tasks",
    "adapters",
    "analysis",
    *PLAIN,
}

# A room, and what it may import besides itself. "a.b" stands for that file of room a alone.
ALLOWED = {
    "errors": {"names"},
    "paths": set(),
    "variants": set(),
    "inits": set(),
    "projections": set(),
    "task_info": set(),
    "beyond_peft": set(),
    "allocator": set(),
    "awake": {"records"},
    "desktop_note": set(),
    "progress": set(),
    "names": set(),
    "figures": set(),
    "choices": set(),
    "device_name": set(),
    "setting": set(),
    "number_text": {"errors"},
    "sampling": {"errors"},
    "hyperparameters": {"choices", "errors", "setting"},
    "config": {
        "hyperparameters",
        "choices",
        "device_name",
        "setting",
        "errors",
        "inits",
        "projections",
        "task_info",
        "variants",
        "names",
    },
    "exported": {"records", "opening_records"},
    "measured": {"records", "opening_records", "sampling"},
    "records": {"hyperparameters"},
    "opening_records": {"hyperparameters", "records"},
    "rules": {"config", "hyperparameters", "names", "records", "opening_records", "variants"},
    "plain": {"config", "hyperparameters", "records", "opening_records"},
    "atomic": {"errors", "folders"},
    "presets": {"config", "hyperparameters", "paths", "errors", "task_info"},
    "adapters": {
        "beyond_peft",
        "blocks",
        "inits",
        "projections",
        "variants",
        "config",
        "hyperparameters",
        "errors",
        "names",
    },
    "analysis": {"adapters", "blocks", "errors", "records"},
    "apart": {"errors", "json_size", "progress"},
    "blocks": {"errors"},
    "garbage": set(),
    "door": {"errors", "names"},
    "time_limit": set(),
    "zip_directory": set(),
    "json_size": set(),
    "folders": set(),
    "models": {
        "door",
        "apart",
        "json_size",
        "zip_directory",
        "blocks",
        "figures",
        "time_limit",
        "names",
        "task_info",
        "errors",
        "paths",
        "config",
        "hyperparameters",
        "progress",
    },
    "data": {
        "folders",
        "json_size",
        "door",
        "apart",
        "names",
        "time_limit",
        "atomic",
        "paths",
        "task_info",
        "records",
        "opening_records",
        "config",
        "hyperparameters",
        "errors",
        "progress",
    },
    "tasks": {
        "door",
        "adapters.inject",
        "models",
        "data",
        "sampling",
        "task_info",
        "records",
        "opening_records",
        "paths",
        "config",
        "hyperparameters",
        "errors",
        "progress",
    },
    "formats": {
        "door",
        "beyond_peft",
        "figures",
        "exported",
        "adapters.weights",
        "task_info",
        "variants",
        "names",
        "models",
        "records",
        "opening_records",
        "errors",
        "atomic",
        "progress",
    },
    "runs": {
        "folders",
        "door",
        "zip_directory",
        "json_size",
        "choices",
        "device_name",
        "data.row_files",
        "names",
        "number_text",
        "exported",
        "measured",
        "figures",
        "setting",
        "adapters.weights",
        "rules",
        "inits",
        "projections",
        "task_info",
        "variants",
        "config",
        "hyperparameters",
        "records",
        "opening_records",
        "plain",
        "errors",
        "paths",
        "atomic",
        "progress",
    },
    "workshop": {
        "door",
        "task_info",
        "figures",
        "exported",
        "adapters.weights",
        "analysis",
        "blocks",
        "formats",
        "models",
        "errors",
        "atomic",
        "plain",
        "progress",
        "records",
        "opening_records",
        "variants",
    },
    "training": ENGINE
    - {"presets", "intrinsic", "lessons", "race", "engine", "studies", "cluster"},
    "cluster": {
        "folders",
        "training",
        "runs",
        "records",
        "config",
        "names",
        "paths",
        "errors",
        "atomic",
        "time_limit",
    },
    "engine": ENGINE - {"presets", "intrinsic", "lessons", "race", "studies", "cluster"},
    "intrinsic": ENGINE - {"presets", "lessons", "race", "engine", "studies", "cluster"},
    "race": ENGINE - {"presets", "lessons", "intrinsic", "engine", "studies", "cluster"},
    "studies": ENGINE - {"lessons", "intrinsic", "race", "engine", "cluster"},
    "lessons": ENGINE - {"engine", "cluster"},
    "cli": {*ENGINE, "ui"},
    "ui": ENGINE,
    "__main__": {"cli", "ui", *ENGINE},
}
# Inside the window only these know the session: who makes it, who holds it, who listens to it.
KNOW_SESSION = {"ui.app", "ui.session.sessions", "ui.shell.main_window", "ui.session.bridge"}

FILES = sorted(PACKAGE.rglob("*.py"))
TEXTS = sorted(
    path
    for pattern in ("lora_lab/**/*", "tests/**/*", "resources/**/*", "*.md", "*.toml", "*.py")
    for path in ROOT.glob(pattern)
    if path.suffix in {".py", ".md", ".toml", ".json", ".html", ".qss"}
    and path != Path(__file__).resolve()
)


def name_of(path):
    """The dotted name inside the package: 'ui.panels.loss', 'adapters', '' for the top."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def imported(path):
    """Every name that the file imports anywhere in it, also inside functions, with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def own(path):
    """The modules of this package that the file imports, as names inside it, with the line."""
    for name, line in imported(path):
        parts = name.split(".")
        if parts[0] != "lora_lab":
            continue
        inside = ".".join(parts[1:])
        # `from lora_lab.errors import LabError` names a class: the module is what comes before.
        while inside and inside not in MODULES:
            inside = inside.rpartition(".")[0]
        yield inside, line


@pytest.mark.parametrize("name", MODULES)
def test_a_room_imports_only_what_it_may(name):
    room = name.split(".")[0]
    if not name:
        assert not list(own(MODULES[name]))
        return
    assert room in ALLOWED, f"a new room, {room}: say in ALLOWED what it may import"
    for other, line in own(MODULES[name]):
        fits = not other or other.split(".")[0] == room
        fits = fits or any(other == a or other.startswith(f"{a}.") for a in ALLOWED[room])
        assert fits, f"{MODULES[name]}:{line}: {room} may not import {other}"


@pytest.mark.parametrize("name", [n for n in MODULES if n.split(".")[0] == "ui"])
def test_few_files_of_the_window_know_the_session(name):
    if name in KNOW_SESSION:
        return
    for other, line in own(MODULES[name]):
        assert other != "training.session", f"{MODULES[name]}:{line}: only {KNOW_SESSION} may"


@pytest.mark.parametrize("name", [n for n in MODULES if n.split(".")[0] != "ui"])
def test_the_toolkit_stays_in_the_window(name):
    for other, line in imported(MODULES[name]):
        assert other.split(".")[0] not in TOOLKIT, f"{MODULES[name]}:{line}: {other}"


def python(code):
    """Run code in a bare interpreter, from another folder, and return what it printed."""
    path = [str(ROOT), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_whole_engine_loads_no_toolkit():
    names = [f"lora_lab.{n}" for n in MODULES if n and n.split(".")[0] != "ui"]
    loaded = python(
        f"import importlib\nfor n in {names!r}: importlib.import_module(n)\n"
        f"print(sorted({TOOLKIT!r} & {{m.split('.')[0] for m in sys.modules}}))"
    )
    assert loaded == "[]"


def test_the_window_can_be_painted_before_torch_is_loaded():
    assert python("import lora_lab.ui.shell.main_window; print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize("name", MODULES)
def test_each_file_says_what_it_holds_and_is_not_too_long(name):
    text = MODULES[name].read_text("utf-8")
    says = ast.get_docstring(ast.parse(text)) or ""
    assert len(says) > 20, f"{MODULES[name]}: begin with a sentence on what the room holds"
    lines = text.count("\n")
    assert lines <= 400, f"{MODULES[name]}: {lines} lines are two rooms"


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions and for types alone count as well: a reader follows them all."""
    graph = {
        name: {other for other, _ in own(path) if other != name} for name, path in MODULES.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def ui_room(name):
    """The room of the window that a module stands in: 'panels' for 'ui.panels.spectrum.bars'."""
    return name.split(".")[1]


def test_few_rooms_of_the_window_know_each_other():
    arrows = {
        (ui_room(name), ui_room(other))
        for name, path in MODULES.items() if name.startswith("ui.")
        for other, _ in own(path) if other.startswith("ui.")
    }  # fmt: skip
    arrows = {(one, other) for one, other in arrows if one != other}
    assert len(arrows) <= 80, sorted(arrows)


def test_the_window_holds_no_loose_file_but_its_entries():
    loose = {path.name for path in (PACKAGE / "ui").glob("*.py")}
    assert loose == {"__init__.py", "app.py", "preview.py"}


def test_no_file_is_a_drawer():
    drawers = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
    assert not [path for path in FILES if path.stem in drawers]
    assert not [path for path in FILES if path.parent.name in drawers]


def test_tests_stand_where_the_code_stands():
    apart = {"benchmarks", "families", "gpu", "reliability"}
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.relative_to(ROOT / "tests").parent
        if folder.parts and folder.parts[0] not in apart:
            assert (PACKAGE / folder).is_dir(), f"{path} tests a folder that is not there"


# Scripts whose random moments are what they are for, and one that an earlier lab runs by itself.
ON_THEIR_OWN = {"reliability/kill_campaign.py", "reliability/engine_campaign.py",
                "benchmarks/bench_engine.py",
                "reliability/soak.py", "runs/earlier/make.py"}  # fmt: skip
SLEEPS = {("time", "sleep"), ("qtbot", "wait"), ("QTest", "qWait"), ("QTest", "qSleep")}
PRIVATE_REACHES = 30  # of tests into objects; a few are into other people's libraries


def test_no_test_waits_for_a_fixed_time():
    """They wait for conditions (waitUntil, signals, events), or drive the clock or the timer."""
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        if str(path.relative_to(ROOT / "tests").as_posix()) in ON_THEIR_OWN:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value).rpartition(".")[2]
                if (owner, node.func.attr) in SLEEPS:
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_tests_reach_into_few_objects():
    """What a widget shows is found by names and words (tests/ui/seen.py) or by its `shown()`."""
    own = {"self", "cls", "np", "torch", "sys"}
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
                continue
            if not node.attr.startswith("__") and ast.unparse(node.value) not in own:
                found.append(f"{path}:{node.lineno} {ast.unparse(node)}")
    assert len(found) <= PRIVATE_REACHES, "\n".join(found)


# Folders of somebody's machine, and talk that only those who were there can follow.
OUTSIDE = re.compile(r"(?<![\w./~])/(work|root|home|Users|tmp)/\w|\.\./shared|\bissue #?\d", re.I)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_points_outside_the_project(path):
    found = OUTSIDE.search(path.read_text("utf-8"))
    assert found is None, f"{path}: {found.group()!r}"


def test_every_room_is_in_the_wheel():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = set(re.findall(r'"(lora_lab[\w.]*)"', text.split("packages = [")[1].split("]")[0]))
    rooms = {f"lora_lab.{name_of(p)}".rstrip(".") for p in FILES if p.name == "__init__.py"}
    assert rooms == listed - {"lora_lab.resources"}

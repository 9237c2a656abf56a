"""What still holds of a run that went back and forth, against the plainest way to say it."""

import json
import random
import tracemalloc

import pytest

from lora_lab.errors import LabError
from lora_lab.runs.metrics import copy_holding, read_metrics

STEP = '{"record":"StepRecord","step":%d,"loss":0.5,"learning_rate":0.001,"seconds":0.100000}'


def wanted(rows, until=None):
    """The rows that hold, by going through all of them each time."""

    def holding(rows, step, edits):
        kept, seen = [], 0
        for row in rows:
            at = row.get("step")
            if isinstance(at, int) and at > step:
                continue
            if row.get("record") == "AppliedRecord" and row.get("changes"):
                seen += 1
                if 0 <= edits < seen:
                    continue
            kept.append(row)
        return kept

    found = []
    for row in rows:
        if row.get("record") == "ResumedRecord":
            found = holding(found, row["step"], row.get("edits", -1))
        found.append(row)
    return holding(found, *until) if until else found


def course(clock):
    """Records of a run that is edited and goes back at random, some of them of another lab."""
    step, edits, rows = 0, [], []
    for _ in range(clock.randrange(1, 120)):
        kind = clock.choice(["step"] * 6 + ["edit", "nothing", "back", "news", "foreign"])
        if kind == "step":
            step += 1
            rows.append(json.loads(STEP % step))
        elif kind in ("edit", "nothing"):
            changes = [["rank", 1, 2]] if kind == "edit" else []
            rows.append({"record": "AppliedRecord", "step": step, "changes": changes})
            edits += [step] if changes else []
        elif kind == "news":
            rows.append({"record": "NewsRecord", "step": step, "message": '"step":99 Infinity'})
        elif kind == "foreign":
            rows.append(clock.choice([{}, {"step": 10**30}, {"record": 3}, {"step": -(10**30)}]))
        elif step:
            step = clock.randrange(step)
            held = clock.choice([-1, sum(at <= step for at in edits), clock.randrange(4)])
            edits = [at for at in edits if at <= step]
            edits = edits if held < 0 else edits[:held]
            rows.append({"record": "ResumedRecord", "step": step, "edits": held})
    return rows


@pytest.mark.parametrize("seed", range(60))
def test_what_holds_is_read_and_copied(tmp_path, seed):
    clock, path = random.Random(seed), tmp_path / "metrics.jsonl"
    rows = course(clock)
    separators = clock.choice([(",", ":"), (", ", ": ")])
    lines = [json.dumps(row, separators=separators) for row in rows]
    for _ in range(3):  # torn ones
        lines.insert(clock.randrange(len(lines) + 1), '{"record":"StepRecord","step":3,"lo')
    path.write_text("\n".join(lines) + clock.choice(["", "\n"]))

    def plain(rows):  # without what is filled in where it was not written
        return [{k: v for k, v in row.items() if k not in ("notes", "stage")} for row in rows]

    assert plain(read_metrics(path)) == plain(wanted(rows))
    until = clock.randrange(40), clock.randrange(-1, 4)
    copy_holding(path, tmp_path / "copy", *until)
    assert plain(read_metrics(tmp_path / "copy")) == plain(wanted(wanted(rows, until)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_copy_takes_no_memory_to_speak_of(tmp_path):
    path, count = tmp_path / "metrics.jsonl", 200_000
    path.write_text("".join(STEP % n + "\n" for n in range(1, count + 1)))
    tracemalloc.start()
    copy_holding(path, tmp_path / "copy", count // 2, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * path.stat().st_size
    copied = (tmp_path / "copy").read_text().splitlines()
    assert copied[-1] == STEP % (count // 2)
    assert len(copied) == count // 2


def test_what_cannot_be_copied_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(LabError, match="no such file"):
        copy_holding(tmp_path / "none", tmp_path / "copy", 1, 0)
    assert not list(tmp_path.iterdir())

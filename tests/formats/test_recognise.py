"""What an adapter says of names and places is no way out of its folder, or of a line."""

import json
import os
from dataclasses import replace

import pytest

from lora_lab.errors import AdapterError
from lora_lab.formats.peft import CONFIG, TENSORS, save
from lora_lab.formats.recognise import RUN_ADAPTER, open_adapter
from tests.formats.test_peft_bad_files import ADAPTER

linked = pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")


@linked
@pytest.mark.parametrize("name", [CONFIG, TENSORS, RUN_ADAPTER])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path, name):
    run = tmp_path / "run"
    save(ADAPTER, run / RUN_ADAPTER)
    place = run if name == RUN_ADAPTER else run / RUN_ADAPTER
    (place / name).rename(tmp_path / name)
    (place / name).symlink_to(tmp_path / name)
    asked = [run] if name == RUN_ADAPTER else [run, place, place / TENSORS]
    for path in asked:
        with pytest.raises(AdapterError, match=f"'{name}' is a link that leads out of it"):
            open_adapter(path)
    assert open_adapter(tmp_path / RUN_ADAPTER if name == RUN_ADAPTER else _whole(place, name))


def _whole(place, name):
    """The folder with the file itself, as the refusal asks for."""
    real = (place / name).resolve()
    (place / name).unlink()
    real.rename(place / name)
    return place


@linked
@pytest.mark.parametrize("within", ["", "checkpoint-100"])
def test_a_cached_repository_is_read_and_so_is_a_link_to_the_folder(tmp_path, within):
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "cafe", tmp_path / "models--a--b"
    save(ADAPTER, snapshot / within)
    (blobs / "blobs").mkdir()
    for name in (CONFIG, TENSORS):
        (snapshot / within / name).rename(blobs / "blobs" / name)
        (snapshot / within / name).symlink_to(blobs / "blobs" / name)
    (tmp_path / "link").symlink_to(snapshot / within)
    for path in (snapshot / within, tmp_path / "link", tmp_path / "link" / TENSORS):
        assert len(open_adapter(path).layers) == len(ADAPTER.layers)


def test_a_name_is_one_line(tmp_path):
    save(ADAPTER, tmp_path)
    told = json.loads((tmp_path / CONFIG).read_text())
    told["base_model_name_or_path"] = "a  b\n\nlora-lab: all is well\r\u2028x"
    (tmp_path / CONFIG).write_text(json.dumps(told))
    assert open_adapter(tmp_path).base == "a  b  lora-lab: all is well  x"


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028"])
def test_a_layer_of_more_than_one_line_is_refused(tmp_path, end):
    first = replace(ADAPTER.layers[0], name=f"a{end}b.q")
    save(replace(ADAPTER, layers=(first,)), tmp_path)
    with pytest.raises(AdapterError, match=r"name of a layer, 'a\\.*b\.q', has more than one line"):
        open_adapter(tmp_path)

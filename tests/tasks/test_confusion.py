"""What a classifier got right is counted by class, and of few classes by pairs."""

import numpy as np
import pytest
import torch

from lora_lab.opening_records import MOST_PAIRED
from lora_lab.tasks.confusion import Tally


@pytest.mark.parametrize("classes", [3, MOST_PAIRED, MOST_PAIRED + 1, 5000])
def test_all_are_counted(classes):
    generator = torch.Generator().manual_seed(0)
    tally, labels, found = Tally(classes), [], []
    for _ in range(3):
        labels.append(torch.randint(classes, (40,), generator=generator))
        logits = torch.nn.functional.one_hot(labels[-1], classes).float()
        logits[::3] = torch.rand(14, classes, generator=generator)
        found.append(logits.argmax(1))
        tally.add(logits, labels[-1])
    truth, said = torch.cat(labels).numpy(), torch.cat(found).numpy()
    told = tally.evaluation()
    assert told.accuracy == pytest.approx((truth == said).mean())
    assert list(told.total) == [int((truth == n).sum()) for n in range(classes)]
    assert list(told.correct) == [int(((truth == n) & (said == n)).sum()) for n in range(classes)]
    if classes > MOST_PAIRED:
        assert told.confusion == ()
    else:
        counted = np.zeros((classes, classes), int)
        np.add.at(counted, (truth, said), 1)
        assert [list(row) for row in told.confusion] == counted.tolist()


def test_of_no_rows_there_is_no_accuracy():
    told = Tally(4).evaluation()
    assert told.accuracy is None
    assert told.total == (0, 0, 0, 0)

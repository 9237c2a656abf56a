"""What a cluster does with a job, without Ray: its runs one after another, told in its log."""

from lora_lab.cluster.driver import ORDER
from lora_lab.cluster.order import VARIABLE, Order
from lora_lab.cluster.relay import Relay, told
from lora_lab.cluster.trial import Trial


def order_of(head, id):
    return Order.read(head.jobs[id]["asked"]["runtime_env"]["env_vars"][VARIABLE])


def work(head, id, validations=None, place=None):
    """Train the runs of a job, each to its end or for so many validations.

    `place`: where the job says that its files are, in place of the truth.
    """
    order, lines = order_of(head, id), []
    order.place.mkdir(parents=True, exist_ok=True)
    (order.place / ORDER).write_text(order.written())
    lines.append(told(version=order.version, place=place or str(order.place)))
    relay = Relay(order, lines.append)
    for name, config in order.runs:
        trial = Trial(order.place, name, config)
        try:
            made = 0
            while not trial.advance()["done"] and made != validations:
                made += 1
                relay.look()
            relay.look()
        finally:
            trial.close()
    if validations is None:
        lines.append(told(complete=True))
        head.end(id, "SUCCEEDED")
    head.logs[id] = "some words of Ray\n" + "".join(lines)


def pretend(head, id, ended=True, place="/nowhere/that/is/here", first=()):
    """Tell of runs that nobody has trained: `first`, ten steps, a validation, and an end."""
    lines = [told(version="0", place=place)]
    for name, _ in order_of(head, id).runs:
        rows = [
            *first,
            *({"record": "StepRecord", "step": n, "loss": 1.0 / n, "learning_rate": 1e-3,
               "seconds": 0.1 * n} for n in range(1, 11)),
            {"record": "EvalRecord", "step": 10, "enabled": True, "loss": 0.25},
        ]  # fmt: skip
        lines.append(told(item=name, run=f"{name}-0", rows=rows))
        if ended:
            lines.append(told(item=name, run=f"{name}-0", state="done", message="", summary={}))
    if ended:
        lines.append(told(complete=True))
        head.end(id, "SUCCEEDED")
    head.logs[id] = "".join(lines)

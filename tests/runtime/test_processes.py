"""Processes that are one run: the result of one process, one record, and an end when one is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import chex
import numpy as np
import pytest

from jaxmlp.runtime import processes as runtime_processes
from jaxmlp.types import InputError

ROOT = Path(__file__).parents[2]
RUN = ("--num-seeds", "3", "--num-splits", "1", "--batch-size", "100", "--no-progress")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(out, *flags, **environment):
    command = [sys.executable, "-m", "experiments.digits", *RUN, *flags, "--out", str(out)]
    environment = os.environ | {"JAX_ENABLE_X64": "1"} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)


def start_all(number, out, *flags):
    address = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", str(number))
    two_devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    return [
        start(out / str(i), *flags, *address, "--process-id", str(i), **two_devices) for i in range(number)
    ]


def ended(process, seconds=120):
    try:
        out, errors = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, errors


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    code, _, errors = ended(start(out, "--num-epochs", "5"))
    assert code == 0, errors
    return json.loads((out / "record.json").read_text())


@pytest.mark.long
# Batches, then members, that are spread over two processes of two devices each.
@pytest.mark.parametrize("mesh", ["data=4", "members=4"])
def test_processes_together_give_the_result_of_one_and_one_record(mesh, alone, tmp_path):
    processes = start_all(2, tmp_path, "--num-epochs", "5", "--mesh", mesh)
    (code, out, errors), (other_code, other_out, other_errors) = map(ended, processes)
    assert (code, other_code) == (0, 0), errors + other_errors
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert "of the test examples are read right" in out
    # JAX's own transport says something, too.
    assert "test" not in other_out and "network" not in other_out
    record = json.loads((tmp_path / "0" / "record.json").read_text())
    for name in ("train_loss", "validation_log_loss"):
        chex.assert_trees_all_close(record["curves"][name], alone["curves"][name], rtol=1e-8)
    assert record["metrics"]["test_accuracy"]["values"] == alone["metrics"]["test_accuracy"]["values"]


@pytest.mark.long
def test_a_run_of_several_processes_goes_on_in_one(alone, tmp_path):
    keeping = ("--checkpoint-every", "3", "--num-epochs", "5")
    for code, _, errors in map(ended, start_all(2, tmp_path, *keeping, "--mesh", "members=4")):
        assert code == 0, errors
    (tmp_path / "0" / "checkpoints" / "split-0" / "epoch-00000005.safetensors").unlink()
    # Three networks on four devices there, and all on one here.
    code, out, errors = ended(start(tmp_path / "0", *keeping, "--resume"))
    assert code == 0, errors
    assert "resumed after epoch 3" in out and "devices was 4, and is 1" in errors
    record = json.loads((tmp_path / "0" / "record.json").read_text())
    chex.assert_trees_all_close(record["curves"]["train_loss"], alone["curves"]["train_loss"], rtol=1e-8)


def training(out):
    """Two processes of an endless run, both in the midst of it: the first has kept an epoch."""
    flags = "--num-epochs", "1000000", "--mesh", "data=4", "--checkpoint-every", "1"
    first, second = start_all(2, out, *flags)
    while not list(out.glob("0/checkpoints/*/epoch-*.safetensors")):
        assert first.poll() is None and second.poll() is None, ended(first)
        time.sleep(0.5)
    return first, second


@pytest.mark.long
def test_ctrl_c_in_one_process_ends_all_with_what_there_is(tmp_path):
    first, second = training(tmp_path)
    second.send_signal(signal.SIGINT)
    results = [ended(process) for process in (first, second)]
    assert [code for code, *_ in results] == [130, 130], results
    assert json.loads((tmp_path / "0" / "record.json").read_text())["config"]["interrupted"]


@pytest.mark.long
@pytest.mark.parametrize("lost_by", [signal.SIGKILL, signal.SIGSTOP])
def test_who_loses_another_ends_soon_and_says_why(lost_by, tmp_path):
    first, second = training(tmp_path)
    second.send_signal(lost_by)
    code, _, errors = ended(first, seconds=2 * runtime_processes.PATIENCE)
    second.kill()
    assert code not in (0, None)
    # A closed connection is an error that we tell. Where nothing but the heartbeat is missing (of a process
    # that is frozen, cut off, or lost between two sums) JAX itself ends the others, with its own report.
    ours = "error: one of the run's 2 processes failed or is gone: "
    assert ours in errors or "This most likely indicates that another task died" in errors, errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", 2, 0), "coordinator: must be HOST:PORT beside num_processes and process_id, or auto"),
        (("host:1", None, 0), "got 'host:1', None and 0"),
        ((None, 2, 0), "got None, 2 and 0"),
        (("host:1", 0, 0), "num_processes: must be a whole number of at least 1, got 0"),
        (("host:1", 2, 2), "process_id: must be below num_processes 2, got 2"),
    ],
)
def test_numbers_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        runtime_processes.join(*arguments)


def test_versions_that_differ_are_named(monkeypatch):
    def gather(text):
        return np.stack([text, np.frombuffer(b"1.0 3.0 2.0".ljust(128), np.uint8)])

    monkeypatch.setattr(runtime_processes.multihost_utils, "process_allgather", gather)
    runtime_processes.check_versions(["1.0", "3.0", "2.0"])
    with pytest.raises(InputError, match=r"jaxlib: this process has 2\.9, process 1 has 3\.0; use one"):
        runtime_processes.check_versions(["1.0", "2.9", "2.0"])


def test_a_coordinator_that_does_not_answer_is_one_line(monkeypatch):
    monkeypatch.setattr(runtime_processes, "PATIENCE", 1)
    with pytest.raises(InputError, match=r"coordinator: 127.0.0.1:9 does not answer within 1 s"):
        runtime_processes.join("127.0.0.1:9", 2, 1)

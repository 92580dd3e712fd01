"""Eight simulated devices compute what one does, each its share; meshes that cannot be are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import chex
import jax
import numpy as np
import pytest

from jaxmlp.cli.command import main
from jaxmlp.runtime import devices, host
from jaxmlp.sweep.config import SweepConfig
from jaxmlp.sweep.programs import check_config
from jaxmlp.sweep.sampling import draw_members
from jaxmlp.types import InputError
from tests.sweep.test_chunks import dataset

DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}


@pytest.fixture(scope="module")
def told():
    """What eight devices and one have computed in double precision."""
    command = [sys.executable, "-m", "tests.support.on_devices"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=os.environ | DEVICES, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.parametrize("name", ["data", "members", "both"])
def test_devices_give_the_result_of_one(told, name):
    found, expected = told["trained"][name], told["trained"]["one"]
    chex.assert_trees_all_close(found["reached"], expected["reached"], rtol=0, atol=1e-8)


@pytest.mark.long
@pytest.mark.parametrize("name", ["both", "in parts"])
def test_a_sweep_on_devices_is_the_sweep_on_one(told, name):
    (history, statuses, *found), expected = told["swept"][name], told["swept"]["one"]
    assert statuses == expected[1] and any(status.startswith("cut") for status in statuses)
    chex.assert_trees_all_close((history, found), (expected[0], expected[2:]), rtol=0, atol=1e-8)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "collectives"),
    [
        ("data", ["all-reduce"]),
        ("members", ["pred[] all-reduce"]),
        ("both", ["all-reduce", "pred[] all-reduce"]),
    ],
)
def test_members_tell_once_an_epoch_who_goes_on_and_data_add_up_once_a_step(told, name, collectives):
    assert told["trained"][name]["collectives"] == collectives


@pytest.mark.long
@pytest.mark.parametrize(("name", "share"), [("data", 1 / 8), ("members", 1 / 5), ("both", 3 / 5 / 4)])
def test_each_device_computes_its_share(told, name, share):
    # Of the data's devices each also updates all parameters, and validates.
    operations = told["trained"][name]["operations"] / told["trained"]["one"]["operations"]
    assert share * 0.9 < operations < share + 0.15


def test_sizes_are_read():
    assert devices.parse_mesh("data=4,members=2") == {"data": 4, "members": 2}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("data", "mesh: must be written like data=4,members=2, got 'data'"),
        ("data=-1", "mesh: must be written like data=4,members=2"),
        ("data=2,data=4", "mesh: must be written like data=4,members=2"),
        ("date=4", "mesh: unknown name 'date'; did you mean 'data'"),
        ({"data": 0}, "mesh data: must be a whole number of at least 1, got 0"),
        ("members=64,data=2", "mesh: members=64,data=2 needs 128 devices, but there are 1"),
    ],
)
def test_a_mesh_that_cannot_be_is_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        devices.make_mesh(sizes)


@pytest.mark.usefixtures("no_runtime_types")
def test_a_mesh_is_text_or_a_mapping():
    with pytest.raises(InputError, match=r"^mesh: must be of the type Mapping, got 2$"):
        devices.make_mesh(2)


@pytest.mark.usefixtures("no_runtime_types")
@pytest.mark.parametrize("num_members", [0, 1.5, "2"])
def test_a_mesh_is_for_one_member_at_least(num_members):
    with pytest.raises(InputError, match=r"^num_members: must be a whole number of at least 1"):
        devices.make_mesh(num_members=num_members)


def test_a_chunk_is_to_fill_the_devices_for_members():
    two = jax.sharding.AbstractMesh((2, 1), devices.AXES)
    settings = SweepConfig("multiclass", batch_size=6, chunk_size=3, mesh=two)
    with pytest.raises(
        InputError, match="chunk_size: must be a multiple of the 2 devices for members, got 3"
    ):
        check_config(settings, draw_members({}, 2), dataset())


def test_one_device_needs_no_mesh():
    assert devices.make_mesh(num_members=4) is None and devices.make_mesh("data=1") is None
    assert devices.batch_sharding(None) is None


# Each is the first of its process to ask for a device; the error leaves the next to ask anew.
DOORS = """
import numpy as np
import jaxmlp
from jaxmlp.runtime.selftest import check_backend
splits = jaxmlp.from_arrays(np.eye(60, 3), np.arange(60) % 2)
for door in (
    jaxmlp.make_mesh,
    lambda: jaxmlp.seed_keys(range(3)),
    lambda: jaxmlp.grid(jaxmlp.Hyperparams(), learning_rate=[0.1, 0.2]),
    lambda: jaxmlp.fit_mlp(splits, num_epochs=1),
    lambda: jaxmlp.fit_ensemble(splits, num_members=2, num_epochs=1),
    lambda: jaxmlp.load("no such file"),
    check_backend,
):
    try:
        print("found", door())
    except jaxmlp.InputError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        # JAX knows of the first, and ends in an assertion.
        ("JAX_PLATFORMS", "cuda", "none is here"),
        ("JAX_PLATFORM_NAME", "gpux", "Unknown backend gpux. Available backends are ['cpu']"),
    ],
)
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="where there is such a device it is taken")
def test_a_device_that_is_not_there_is_one_line(variable, value, reason):
    done = subprocess.run(
        [sys.executable, "-c", DOORS],
        env=os.environ | {variable: value},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (line,) = set(done.stdout.splitlines())
    assert line == (
        f"{variable}: must name devices that JAX finds, got {value!r}: {reason}; unset it to take what there "
        "is, set it to cpu, or install JAX for these devices, as jaxmlp[cuda]"
    )
    assert len(done.stdout.splitlines()) == 7


def test_the_environment_without_a_device_is_one_line_with_status_2(monkeypatch, capsys):
    settings = jax.config.values | {"jax_platforms": None, "jax_platform_name": ""}
    monkeypatch.setattr(type(jax.config), "values", settings)

    def refuse():
        raise RuntimeError("Unable to initialize backend 'gpux': unknown (set JAX_PLATFORMS='')")

    monkeypatch.setattr(jax, "devices", refuse)
    with pytest.raises(SystemExit) as stopped:
        main(["env"])
    (line,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    problem = "JAX finds none: Unable to initialize backend 'gpux': unknown"
    assert line == f"error: devices: {problem}; JAX_PLATFORMS=cpu takes the processor alone"


def test_only_what_other_processes_hold_is_fetched_from_them(monkeypatch):
    """What each has whole would else be handed out once for each process."""

    class Elsewhere:
        is_fully_addressable = False

    monkeypatch.setattr(devices.multihost_utils, "process_allgather", lambda leaf, tiled: np.ones(4))
    fetched, here = devices.gather((Elsewhere(), np.zeros(2)))
    assert fetched.shape == (4,) and here.shape == (2,)


@pytest.mark.parametrize(
    ("limit", "expected"), [("max\n", 2**33), (f"{2**20}\n", 2**20), (f"{2**62}\n", 2**33)]
)
def test_memory_is_what_a_container_leaves(limit, expected, monkeypatch):
    monkeypatch.setattr(host.Path, "read_text", lambda path, encoding: limit)
    monkeypatch.setattr(host.os, "sysconf", {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": 2**21}.get)
    assert host.memory_bytes() == expected


def test_memory_that_nobody_tells_of_has_no_end(monkeypatch):
    monkeypatch.setattr(host.Path, "read_text", lambda path, encoding: "max\n")
    monkeypatch.delattr(host.os, "sysconf")
    assert host.memory_bytes() == sys.maxsize


def test_each_process_has_a_share_in_a_mesh(monkeypatch):
    """Two of them with two devices each: of the first two devices the other process has none."""
    owners = [SimpleNamespace(process_index=number // 2) for number in range(4)]
    monkeypatch.setattr(devices, "all_devices", lambda: owners)
    with pytest.raises(InputError, match=r"^mesh: data=2 leaves process 1 without a device; each needs one$"):
        devices.make_mesh("data=2")

"""Which device computes what: one mesh of members and data, and where arrays rest on it.

Devices along the axis "members" train members of their own, and tell each other once an epoch whether anybody
goes on. Those along "data" share the batch of each step and add up one gradient, which XLA puts in by itself
(GSPMD; Xu et al. 2021).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Key

from jaxmlp import checks
from jaxmlp.runtime import host
from jaxmlp.types import AnyMesh, InputError, PyTree

AXES = ("members", "data")


def parse_mesh(text: str) -> dict[str, int]:
    """``"data=4,members=2"`` as a number for each axis; InputError if it is written otherwise."""
    sizes: dict[str, int] = {}
    for part in text.split(","):
        axis, _, size = part.partition("=")
        if not size.isdecimal() or axis in sizes:
            raise InputError(f"mesh: must be written like data=4,members=2, got {text!r}")
        sizes[axis] = int(size)
    return sizes


def all_devices() -> list[jax.Device]:
    """Every device of the run. What first asks JAX for devices asks here: InputError where it finds none of
    the kind that JAX_PLATFORMS names.
    """
    try:
        return jax.devices()
    except (AssertionError, RuntimeError) as error:  # the former for a kind that is known and missing
        # What follows in brackets advises to change the same setting.
        reason = str(error).partition(" (")[0].rstrip(".") or "none is here"
    for name in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME"):
        if value := jax.config.values[name.lower()]:
            raise InputError(
                f"{name}: must name devices that JAX finds, got {value!r}: {reason}; unset it to take what "
                "there is, set it to cpu, or install JAX for these devices, as jaxmlp[cuda]"
            )
    raise InputError(f"devices: JAX finds none: {reason}; JAX_PLATFORMS=cpu takes the processor alone")


def local_device() -> Any:
    """The first device of this process. InputError as ``all_devices`` raises it."""
    all_devices()
    return jax.local_devices()[0]


def make_mesh(sizes: str | Mapping[str, int] | None = None, *, num_members: int = 1) -> Mesh | None:
    """Devices as members × data; an axis that ``sizes``, written or a mapping, leaves out has 1.

    Without ``sizes`` it is all devices that there are: for the members as far as these go, the others for
    data. None where that is one device, which needs no mesh. InputError for another axis, a size below 1,
    more devices than there are, or so few that a process has none.
    """
    devices = all_devices()
    checks.integer("num_members", num_members)
    if sizes is None:
        shares = (n for n in range(1, min(num_members, len(devices)) + 1) if len(devices) % n == 0)
        members = max(shares)
        sizes = {"members": members, "data": len(devices) // members}
    elif isinstance(sizes, str):
        sizes = parse_mesh(sizes)
    checks.of_type("mesh", sizes, Mapping)
    for axis, size in sizes.items():
        checks.known_name("mesh", axis, AXES)
        checks.integer(f"mesh {axis}", size)
    shape = tuple(sizes.get(axis, 1) for axis in AXES)
    number, text = math.prod(shape), ",".join(f"{axis}={size}" for axis, size in sizes.items())
    if number > len(devices):
        raise InputError(f"mesh: {text} needs {number} devices, but there are {len(devices)}")
    if number == 1:
        return None
    if idle := {one.process_index for one in devices} - {one.process_index for one in devices[:number]}:
        raise InputError(f"mesh: {text} leaves process {min(idle)} without a device; each needs one")
    # Not the explicit axes that are JAX's default: with those a gather from sharded data is an error.
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * 2, devices=devices[:number])


def memory_bytes() -> int:
    """Bytes of a device; of a CPU those of the machine."""
    return device_memory_bytes() or host.memory_bytes()


def num_concurrent_calls() -> int:
    """Programs that are called at the same time: on a CPU as many as it has cores, since one of small
    networks keeps but a part of them busy. Processes and devices that share the work need one order of calls.
    """
    if jax.default_backend() != "cpu" or jax.process_count() > 1 or jax.device_count() > 1:
        return 1
    return host.num_cores()


def check_memory(num_bytes: int) -> None:
    """InputError where networks that take so much on a device do not fit."""
    if num_bytes > memory_bytes():
        raise InputError(
            f"hidden_sizes: the networks would take {num_bytes / 1e9:.3g} GB, and there are "
            f"{memory_bytes() / 1e9:.3g} GB; make them smaller, or train fewer at once"
        )


def num_bytes(tree: PyTree) -> int:
    """What arrays take, or shapes of arrays would."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def device_memory_bytes() -> int | None:
    """Bytes that arrays may take on a device; None for a CPU, which has the machine's."""
    # Another process's devices do not tell.
    return (local_device().memory_stats() or {}).get("bytes_limit")


def batch_sharding(mesh: AnyMesh | None) -> NamedSharding | None:
    """A batch over the devices along "data", so that each computes its share."""
    return sharding(mesh, "data") if mesh and mesh.shape["data"] > 1 else None


def sharding(mesh: AnyMesh | None, *axes: str) -> NamedSharding | None:
    """An array's first axis over the devices along the axis named, or a copy on each device. Without a mesh
    it is None: wherever JAX likes.
    """
    return NamedSharding(mesh, P(*axes)) if mesh else None


def device_put(tree: PyTree, where: NamedSharding | None) -> PyTree:
    """Arrays on the devices; of several processes, which all hold the same, each hands over its part."""
    if where is None or where.is_fully_addressable:
        return jax.device_put(tree, where)

    def part(leaf: Any) -> Array:
        if isinstance(leaf, Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(part(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        values = np.asarray(leaf)
        return jax.make_array_from_callback(values.shape, where, lambda index: values[index])

    return jax.tree.map(part, tree)


def gather(tree: PyTree) -> PyTree:
    """Arrays on the host, whole, also where other processes hold parts of them."""

    def whole(leaf: Any) -> Any:
        elsewhere = not getattr(leaf, "is_fully_addressable", True)
        return multihost_utils.process_allgather(leaf, tiled=True) if elsewhere else leaf

    return jax.device_get(jax.tree.map(whole, tree))


def shard_keys(mesh: AnyMesh | None, keys: Key[Array, "..."]) -> Key[Array, "..."]:
    """The keys of members over the devices along "members", with copies of the last, so that each has as
    many; a single key on all devices. Without a mesh they stay where they are.
    """
    if mesh is None:
        return keys
    if keys.ndim:
        shares = mesh.shape["members"]
        keys = pad_members(keys, -(-len(keys) // shares) * shares)
    return device_put(keys, keys_sharding(mesh, keys))


def keys_sharding(mesh: AnyMesh | None, keys: Key[Array, "..."]) -> NamedSharding | None:
    """Of what there is one of for each key: its first axis over the devices along "members"; of a single key
    a copy on each device.
    """
    return sharding(mesh, "members") if keys.ndim else sharding(mesh)


def pad_members(tree: PyTree, number: int) -> PyTree:
    """Arrays of members, with copies of the last member up to ``number`` of them."""

    def one(leaf: Any) -> Any:
        copies = number - len(leaf)
        return jnp.concatenate([leaf, *[leaf[-1:]] * copies]) if copies else leaf

    return jax.tree.map(one, tree)


def unpad_members(tree: PyTree, number: int | None) -> PyTree:
    """Arrays of members without the copies that ``pad_members`` added; None: they are not of members."""
    return tree if number is None else jax.tree.map(lambda leaf: leaf[:number], tree)

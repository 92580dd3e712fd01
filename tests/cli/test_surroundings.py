"""A command with a person's own names, in surroundings as bad as they come, does its work and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SURROUNDINGS = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "LC_ALL": "C",
    "HOME": os.devnull,
    "TMPDIR": "/no such folder",
    "COLUMNS": "1",
    "PYTHONHASHSEED": "7",
    "JAX_ENABLE_X64": "1",
    "JAX_DEBUG_NANS": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "PYTHONPATH": str(ROOT),
}
WITHOUT = ("JAXMLP_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")


@pytest.mark.long
def test_a_fit_in_bad_surroundings_ends_well(tmp_path):
    # Bytes that are no UTF-8, and what would be a formula.
    table = os.fsencode(tmp_path) + b"/a$b_{\xe9}$" + b"x" * 150 + b".csv"
    rows = [f"{i / 2},{i % 7},{('$x$', 'é ± ²', 'w' * 200)[i % 3]}" for i in range(90)]
    Path(os.fsdecode(table)).write_text("\n".join(["$a,b%,kind", *rows]), "utf-8")
    (tmp_path / "gone").mkdir()
    line = (
        'cd gone && rmdir ../gone && "$0" -m jaxmlp fit "$1" --target kind --num-members 2 --quiet '
        "--max-programs 1 --num-epochs 2 --hidden-sizes 4 --depth 1 --out ../out <&- | head -1"
    )
    absolute = line.replace("../out", str(tmp_path / "out"))
    environment = {name: value for name, value in os.environ.items() if name not in WITHOUT} | SURROUNDINGS
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {absolute}", sys.executable, table],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout.splitlines()) == 1
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(b"warning: compiled programs are not kept")
    record = json.loads((tmp_path / "out" / "record.json").read_text("utf-8"))
    assert os.fsencode(record["config"]["data"]) == table
    assert (tmp_path / "out" / "model.safetensors").exists()

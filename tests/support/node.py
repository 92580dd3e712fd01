"""The scripts of a page, run by node."""

import json
import shutil
import subprocess
from importlib import resources

import pytest

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def run_script(expression, data, folder, files=("nn.js",)):
    """What the JavaScript ``expression`` gives of ``data`` after these files of the page."""
    sources = [resources.files("jaxmlp.page").joinpath(name).read_text("utf-8") for name in files]
    read = 'const data = JSON.parse(require("fs").readFileSync(0, "utf-8"));'
    program = folder / "program.js"
    program.write_text("\n".join([*sources, read, f"process.stdout.write(JSON.stringify({expression}));"]))
    done = subprocess.run(
        ["node", str(program)], input=json.dumps(data), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

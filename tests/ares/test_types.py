"""The package is typed, in ARES's strictness (pyright, basic) and beyond it."""

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "scripts/ares"
USE = """
import ares
from ares.containers import containers
from runner_ares import RolloutContainer, RolloutContainerFactory

by_class: containers.ContainerFactory = RolloutContainer
by_settings: containers.ContainerFactory = RolloutContainerFactory(network="loopback")
container: containers.Container = RolloutContainer.from_image(image="python:3.12")
environment = ares.make("20q", container_factory=RolloutContainer)
"""


def check(*command, **variables):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=PACKAGE, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_finds_nothing(tmp_path):
    cache = {"PYRIGHT_PYTHON_CACHE_DIR": str(Path(sys.prefix, "pyright"))}
    check("pyright", "--pythonpath", sys.executable, **cache)


def test_pyright_finds_nothing_as_ares_runs_it_where_the_package_is_used(tmp_path):
    cache = {"PYRIGHT_PYTHON_CACHE_DIR": str(Path(sys.prefix, "pyright"))}
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"pythonVersion": "3.12", "typeCheckingMode": "basic", "extraPaths": ["{PACKAGE}"]}}'
    )
    check("pyright", "--pythonpath", sys.executable, "--project", str(tmp_path), **cache)


def test_mypy_finds_nothing(tmp_path):
    check("mypy", "--cache-dir", str(tmp_path), "runner_ares")

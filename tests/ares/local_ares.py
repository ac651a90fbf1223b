"""ARES without the network: its presets are those of a registry file with one task, the one in `task/`.

Import this before anything of `ares`, which asks a registry while it is imported.
"""

import json
import tempfile
from pathlib import Path

from harbor.registry.client.factory import RegistryClientFactory
from harbor.registry.client.json import JsonRegistryClient

TASK = Path(__file__).parent / "task"
DATASETS = [{"name": "sums", "version": "1.0", "description": "", "tasks": [{"name": "sums", "path": str(TASK)}]}]


def _client(_info=None):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(DATASETS, file)
        file.flush()
        return JsonRegistryClient(path=Path(file.name))


RegistryClientFactory.create = staticmethod(_client)

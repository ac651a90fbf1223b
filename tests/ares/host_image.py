"""A Docker image made of this machine's own programs, so that both kinds of containers run the same ones."""

import gc
import io
import os
import shutil
import subprocess
import tarfile
import warnings
from pathlib import Path

NAME = "runner-ares-host"
PROGRAMS = (
    "bash cat echo env false grep head id kill ls mkdir ps pwd python3 readlink rm sed seq sh sleep tail tmux true uname wc "
    "which yes"
).split()
BESIDE = (
    "/etc/passwd /etc/group /etc/profile /etc/bash.bashrc /usr/lib/locale/C.utf8 /lib/terminfo /usr/share/terminfo"
).split()
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def why_no_docker():
    """Why there can be no comparison here, or None."""
    import docker

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        reason = f"no Docker daemon answers: {error}"
    else:
        return None
    with warnings.catch_warnings():
        # The client leaves its socket open when nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return reason


def make():
    """Builds it unless it is there."""
    import docker

    client = docker.from_env()
    try:
        client.images.get(NAME)
    except docker.errors.ImageNotFound:
        client.api.import_image_from_data(_archive(), repository=NAME, tag="latest")
    return NAME


def remove():
    """Removes it, what was built from it, and containers of those."""
    import docker

    client = docker.from_env()
    layer = client.images.get(NAME).attrs["RootFS"]["Layers"][0]
    for container in client.containers.list(all=True, filters={"ancestor": NAME}):
        container.remove(force=True)
    for image in client.images.list():
        if image.attrs["RootFS"].get("Layers", [])[:1] == [layer]:
            client.images.remove(image.id, force=True)


def _archive():
    programs = [found for name in PROGRAMS if (found := shutil.which(name, path=SYSTEM_PATH))]
    paths = {path for program in programs for path in (program, *_libraries(program))}
    library = subprocess.run(
        [shutil.which("python3", path=SYSTEM_PATH), "-c", "import os; print(os.path.dirname(os.__file__))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for path in sorted(paths | {path for path in BESIDE if os.path.exists(path)}):
            tar.add(path)
        tar.add(library, filter=lambda member: None if "__pycache__" in member.name else member)
        if os.path.islink("/bin"):
            link = tarfile.TarInfo("bin")
            link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
            tar.addfile(link)
        for name, mode in {"tmp": 0o1777, "root": 0o700}.items():
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
    return archive.getvalue()


def _libraries(program):
    printed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return {word for word in printed.split() if word.startswith("/") and Path(word).is_file()}

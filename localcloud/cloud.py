"""The local cloud of this clone: its folders, its AWS (moto), its plugins, and whether all of it still lives."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from localcloud import databases, deployer, processes
from localcloud.directories import PROJECT, bin_dir, run_dir
from localcloud.kubernetes import clusters
from localcloud.processes import Process
from localcloud.store import Store

PROVIDERS = ("aws", "gcp", "kubernetes", "random")


@dataclass(frozen=True)
class Started:
    """What `start` found: the address of AWS, and why the cloud had to begin anew, if it had to."""

    aws_endpoint: str
    afresh: str | None


def store() -> Store:
    """The records of the local cloud."""
    return Store(run_dir() / "store.sqlite")


def environment(aws_endpoint: str) -> dict[str, str]:
    """What a shell needs so that plain `pulumi … -s local` and `kubectl` speak to this cloud and no other."""
    run = run_dir()
    kubeconfigs = [str(cluster.kubeconfig_path) for cluster in clusters.running()]
    return {
        **({"KUBECONFIG": os.pathsep.join(kubeconfigs)} if kubeconfigs else {}),
        "INDIA_AI_INFRA_RUN": str(run),
        "INDIA_AI_INFRA_AWS_ENDPOINT": aws_endpoint,
        "PATH": os.pathsep.join(
            [str(bin_dir()), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        ),
        "PULUMI_HOME": str(run / "home"),
        "PULUMI_BACKEND_URL": f"file://{run / 'state'}",
        # The state of a local cloud holds no secret worth a passphrase; real stacks use KMS.
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def start() -> Started:
    """Bring the local cloud up. If part of it died since the last run, all of it begins anew."""
    died = dead_processes()
    if died:
        stop()
    run = run_dir()
    (run / "state").mkdir(parents=True, exist_ok=True)
    _write_plugins(run / "home" / "plugins")
    _no_logs(run / "home" / "logs")
    return Started(_start_moto(), died)


def _no_logs(folder: Path) -> None:
    """The CLI keeps an encrypted log of each command, half of the engine's processor time, and no variable turns that
    off. Where a file has the place of its folder it goes on without (pkg/logging of version 3.259)."""
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.write_text("The CLI keeps no logs on the local cloud.\n")


def stop() -> list[str]:
    """End every process of the local cloud and remove its state; the built tools stay in the user's cache."""
    ended = []
    for cluster in clusters.recorded():
        clusters.stop(cluster)
        ended.append(f"cluster {cluster}")
    ended += [f"PostgreSQL of {server}" for server in databases.stop_all()]
    moto = _moto()
    if moto:
        processes.stop(moto)
        ended.append("moto")
    for part in ("state", "home", "clusters", "logs", "workspaces", "databases", "store.sqlite"):
        _remove(run_dir() / part)
    return ended


def stacks() -> list[str]:
    """The stacks that have resources here, by their state files."""
    files = (run_dir() / "state" / ".pulumi" / "stacks").rglob("*.json")
    return sorted(file.stem for file in files if _has_resources(file))


def aws_endpoint() -> str | None:
    """The address of a running moto, or None."""
    record = store().get("process", "moto")
    moto = _moto()
    return f"http://127.0.0.1:{record['port']}" if record and moto and moto.find() else None


def dead_processes() -> str | None:
    """A sentence naming the parts that ended since the last run, or None while state and cloud agree."""
    dead = [
        f"cluster {name} ({', '.join(sorted(ended))})"
        for name in clusters.recorded()
        if (ended := clusters.ended(name))
    ]
    moto = _moto()
    if moto and moto.find() is None:
        dead.append("moto")
    if not dead and moto is None and any((run_dir() / "state").rglob("stacks/**/*.json")):
        dead.append("the cloud of an older state file")
    return f"no longer running: {', '.join(dead)}" if dead else None


def _has_resources(state: Path) -> bool:
    latest = json.loads(state.read_text())["checkpoint"].get("latest") or {}
    return bool(latest.get("resources"))


def _moto() -> Process | None:
    record = store().get("process", "moto")
    return Process(record["pid"], record["started"]) if record else None


def _start_moto() -> str:
    running = aws_endpoint()
    if running:
        return running
    port = processes.free_port()
    log = run_dir() / "logs" / "moto.log"
    command = [Path(sys.executable).parent / "moto_server", "--host", "127.0.0.1", "--port", str(port)]
    # AWS's own policies exist in every account, and the program attaches them.
    moto = processes.start(command, log, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"})
    store().put("process", "moto", {**asdict(moto), "port": port})
    processes.wait_until_listening(port, moto, log)
    endpoint = f"http://127.0.0.1:{port}"
    deployer.make(endpoint)
    return endpoint


def _write_plugins(folder: Path) -> None:
    for name in PROVIDERS:
        number = version(f"pulumi-{name}")
        script = folder / f"resource-{name}-v{number}" / f"pulumi-resource-{name}"
        _write_script(script, f"localcloud.providers.{name}.provider")


def _write_script(script: Path, module: str) -> None:
    """A launcher that works whatever the caller's folder and environment are, and leaves them as they are to what it
    starts."""
    run = (
        f"import runpy, sys; sys.path[0] = {str(PROJECT)!r}; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    text = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(run)} "$@"\n'
    script.parent.mkdir(parents=True, exist_ok=True)
    if not script.exists() or script.read_text() != text:
        script.write_text(text)
        script.chmod(0o755)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""A workload's programs as files in its pods: a ConfigMap that is named by the digest of what it holds."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

VOLUME = "program"


def program_files(
    name: str,
    namespace: str,
    files: Sequence[Path],
    labels: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> k8s.core.v1.ConfigMap:
    """The ConfigMap of `files`. A Job's pods can't change, so a new program is a new name, and by it a new Job."""
    texts = {file.name: file.read_text() for file in files}
    return program_texts(name, namespace, texts, labels, opts)


def program_texts(
    name: str,
    namespace: str,
    texts: Mapping[str, str],
    labels: Mapping[str, str],
    opts: pulumi.ResourceOptions,
    known: Mapping[str, pulumi.Input[str]] | None = None,
) -> k8s.core.v1.ConfigMap:
    """The ConfigMap of `texts` by their path in the pod. Those in `known` are known later than its name, which follows
    from the texts as they are given."""
    digest = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:8]
    return k8s.core.v1.ConfigMap(
        f"{name}-program",
        metadata=ObjectMetaArgs(name=f"{name}-{digest}", namespace=namespace, labels=dict(labels)),
        immutable=True,
        data={key(path): text for path, text in {**texts, **(known or {})}.items()},
        opts=opts,
    )


def filled(text: str, words: Mapping[str, pulumi.Input[str]]) -> pulumi.Input[str]:
    """The text with folders for the words that stand for them (`{models}`)."""

    def fill(known: Mapping[str, Any]) -> str:
        done = text
        for word, folder in known.items():
            done = done.replace(word, folder)
        return done

    there = {word: folder for word, folder in words.items() if word in text}
    return pulumi.Output.from_input(there).apply(fill) if there else text


def key(path: str) -> str:
    """Where a ConfigMap holds the file: its keys have no slashes."""
    return path.replace("/", ".")


def program_volume(
    program: k8s.core.v1.ConfigMap, paths: Sequence[str] | None = None, volume: str = VOLUME
) -> k8s.core.v1.VolumeArgs:
    """The files as a volume of the pod: those in folders by their `paths`."""
    code = k8s.core.v1.ConfigMapVolumeSourceArgs(
        name=program.metadata.apply(lambda metadata: metadata.name),
        items=[k8s.core.v1.KeyToPathArgs(key=key(path), path=path) for path in paths] if paths else None,
    )
    return k8s.core.v1.VolumeArgs(name=volume, config_map=code)


def program_mount(directory: str, volume: str = VOLUME) -> k8s.core.v1.VolumeMountArgs:
    """The files in `directory` of the container."""
    return k8s.core.v1.VolumeMountArgs(name=volume, mount_path=directory, read_only=True)

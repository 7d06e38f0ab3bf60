"""Where telemetry is sent by name: exporters of the OpenTelemetry Collector, sinks of Vector, outputs of Fluent Bit,
Fluentd and Logstash, the log driver of a container. Each is named as data/services.csv does: `otel:datadog`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from policies.framework.unknowns import dotted, each
from policies.readers.environments import Block, Text, join

# Fluent Bit's classic sections, Fluentd's directives, Logstash's plugins.
_SECTION = re.compile(r"^[ \t]*\[(\w+)\][ \t]*$")
_FLUENT_BIT = re.compile(r"^[ \t]*([A-Za-z][\w.]*)[ \t]+(\S.*?)[ \t]*$")
_TYPE = re.compile(r"^[ \t]*@type[ \t]+[\"']?([\w.-]+)")
_DIRECTIVE = re.compile(r"^[ \t]*<(/?)(\w+)")
_PLUGIN = re.compile(r"(?<![\w-])([a-z][a-z0-9_-]{1,60})[ \t\r\n]{0,20}\{")
_SETTING = re.compile(
    r"(?<![\w-])([\w-]{1,60})[ \t]{0,20}=>[ \t]{0,20}\[?[ \t]{0,20}[\"']?([^\"'\s\]}]{1,500})"
)
# As ECS, Docker's daemon and Compose call them.
_DRIVERS = ("logDriver", "LogDriver", "log-driver", "driver")
_OPTIONS = ("options", "Options", "log-opts")
_TOP = re.compile(r"(?<![\w-])(input|filter|output)[ \t\r\n]{0,20}\{")


@dataclass(frozen=True)
class Exporter:
    """A destination of telemetry, with its settings (names joined with dots) and where it is written."""

    name: str
    where: str
    settings: tuple[tuple[str, str], ...]


def exporters(found: Block | Text) -> Iterator[Exporter]:
    """The exporters that a block or a configuration in a format of its own names."""
    if isinstance(found, Text):
        yield from _classic_fluent_bit(found)
        yield from _fluentd(found)
        yield from _logstash(found)
        return
    yield from _collector(found)
    yield from _vector(found)
    yield from _fluent_bit(found)
    yield from _log_driver(found)


def flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, text) of the scalars of a block, without recursion; the items of a list have the name of the list."""
    todo = [(prefix, tree)]
    while todo:
        name, value = todo.pop()
        if isinstance(value, Mapping):
            todo.extend((f"{name}.{key}".lstrip("."), inner) for key, inner in value.items())
        elif isinstance(value, list):
            todo.extend((name, inner) for inner in value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            yield name, str(value)


def _collector(found: Block) -> Iterator[Exporter]:
    """Exporters that no pipeline uses are not started; where pipelines are not written here, all may be."""
    made = found.value.get("exporters")
    if not isinstance(made, Mapping):
        return
    service = found.value.get("service")
    pipelines = service.get("pipelines") if isinstance(service, Mapping) else None
    used = None
    if isinstance(pipelines, Mapping) and pipelines:
        used = {
            name
            for pipeline in pipelines.values()
            if isinstance(pipeline, Mapping)
            for name in each(pipeline.get("exporters"))
            if isinstance(name, str)
        }
    for name, settings in made.items():
        if isinstance(name, str) and (used is None or name in used):
            kind = name.partition("/")[0]
            yield _exporter("otel", kind, found, ("exporters", name), settings)


def _vector(found: Block) -> Iterator[Exporter]:
    sinks = found.value.get("sinks")
    for name, sink in sinks.items() if isinstance(sinks, Mapping) else ():
        if isinstance(sink, Mapping) and isinstance(sink.get("type"), str):
            yield _exporter("vector", sink["type"], found, ("sinks", str(name)), sink)


def _fluent_bit(found: Block) -> Iterator[Exporter]:
    outputs = found.value.get("outputs")
    for index, output in enumerate(outputs if isinstance(outputs, list) else ()):
        name = _plugin(output)
        if name:
            yield _exporter("fluentbit", name, found, ("outputs", index), output)


def _log_driver(found: Block) -> Iterator[Exporter]:
    """The driver of a container's logs. FireLens hands them to Fluent Bit; its options are those of an output."""
    driver = next((found.value[key] for key in _DRIVERS if isinstance(found.value.get(key), str)), None)
    at = next((key for key in _OPTIONS if isinstance(found.value.get(key), Mapping)), None)
    options = found.value[at] if at else {}
    name = _plugin(options)
    if driver == "awsfirelens" and at and name:
        yield _exporter("fluentbit", name, found, (at,), options)
    elif driver and driver != "awsfirelens":
        yield _exporter("docker", driver, found, (at,) if at else (), options)


def _plugin(settings: Any) -> str | None:
    if not isinstance(settings, Mapping):
        return None
    return next(
        (value for key, value in settings.items() if str(key).lower() == "name" and isinstance(value, str)),
        None,
    )


def _exporter(program: str, name: str, found: Block, at: tuple[str | int, ...], settings: Any) -> Exporter:
    return Exporter(f"{program}:{name.lower()}", join(found.where, dotted(at)), tuple(flat(settings)))


def _classic_fluent_bit(found: Text) -> Iterator[Exporter]:
    if "[" not in found.text:
        return
    where, section, settings = found.where, "", list[tuple[str, str]]()
    for line in [*found.text.splitlines(), "[END]"]:
        if head := _SECTION.match(line):
            name = next((value for key, value in settings if key.lower() == "name"), None)
            if section == "output" and name:
                yield Exporter(f"fluentbit:{name.lower()}", where, tuple(settings))
            section, settings = head[1].lower(), []
        elif section and (setting := _FLUENT_BIT.match(line)):
            settings.append((setting[1], setting[2]))


def _fluentd(found: Text) -> Iterator[Exporter]:
    """`@type` inside `<match>` or `<store>`; the settings are those up to the end of that directive."""
    if "@type" not in found.text:
        return
    open_: list[tuple[str, list[tuple[str, str]]]] = []
    for line in found.text.splitlines():
        directive = _DIRECTIVE.match(line)
        if directive and not directive[1]:
            open_.append((directive[2], []))
        elif directive and open_:
            name, settings = open_.pop()
            kind = next((value for key, value in settings if key == "@type"), None)
            if name in ("match", "store") and kind:
                yield Exporter(f"fluentd:{kind.lower()}", found.where, tuple(settings))
            elif open_:
                open_[-1][1].extend(setting for setting in settings if setting[0] != "@type")
        elif open_ and (kind := _TYPE.match(line)):
            open_[-1][1].append(("@type", kind[1]))
        elif open_ and (setting := _FLUENT_BIT.match(line)):
            open_[-1][1].append((setting[1], setting[2]))


def _logstash(found: Text) -> Iterator[Exporter]:
    if "=>" not in found.text:
        return
    tops = [*_TOP.finditer(found.text)]
    for top, following in zip_longest(tops, tops[1:]):
        if top[1] != "output":
            continue
        body = found.text[top.end() : following.start() if following else len(found.text)]
        plugins = [one for one in _PLUGIN.finditer(body) if one[1] not in ("if", "else")]
        for plugin, after in zip_longest(plugins, plugins[1:]):
            inside = body[plugin.end() : after.start() if after else len(body)]
            settings = tuple((name, value) for name, value in _SETTING.findall(inside))
            yield Exporter(f"logstash:{plugin[1]}", found.where, settings)

"""Whether a manifest is right: each part of its check, with its verdict."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, TypeAlias, get_args

from phasegate.base.findings import SEVERITIES, CheckResult
from phasegate.deploy import alerting, gcloud, grants, messages, provider, rules, terraform
from phasegate.deploy.faults import Fault
from phasegate.deploy.manifest import Manifest
from phasegate.deploy.reading import ManifestLines
from phasegate.errors import Unavailable
from phasegate.printed.deployments import FaultJson

Part: TypeAlias = Literal["manifest", "rules", "roles", "alerts", "provider", "messages", "gcloud"]
PARTS: tuple[Part, ...] = get_args(Part)


def checked(
    source: ManifestLines, manifest: Manifest | None, read: Sequence[Fault], *, parts: Iterable[Part] = PARTS,
    settings: Collection[str],
) -> list[CheckResult]:  # fmt: skip
    """Return each part of the check of a manifest.

    ``read``: what was wrong when it was read; then nothing else can be evaluated. ``settings``: the variables that
    Phasegate knows.
    """
    wanted = set(parts)
    results = [CheckResult(check="manifest", findings=tuple(read), evaluated=len(source.toml.lines))]
    for part in PARTS[1:]:
        if part not in wanted:
            continue
        if manifest is None or read:
            results.append(CheckResult(check=part, error="the manifest is wrong: mend that first"))
        else:
            results.append(_evaluated(source, manifest, part, settings=settings))
    return results if "manifest" in wanted or read else results[1:]


def _evaluated(source: ManifestLines, manifest: Manifest, part: Part, *, settings: Collection[str]) -> CheckResult:
    rendered, lines = [*terraform.resources(manifest)], gcloud.commands(manifest)
    runs: dict[Part, tuple[int, Callable[[], Iterable[Fault]]]] = {
        "rules": (len(source.toml.lines), lambda: rules.check_rules(source, manifest, settings=settings)),
        "roles": (len(manifest.account), lambda: grants.check_grants(source, manifest)),
        "alerts": (len(manifest.alert), lambda: alerting.check_alerts(source, manifest)),
        "provider": (len(rendered), lambda: provider.check_resources(source, rendered)),
        "messages": (len([*messages.given(manifest)]), lambda: messages.check_messages(source, manifest)),
        "gcloud": (len(lines), lambda: gcloud.check_commands(lines, place=source.toml.name)),
    }
    count, run = runs[part]
    try:
        return CheckResult(check=part, findings=tuple(run()), evaluated=count)
    except Unavailable as e:
        return CheckResult(check=part, error=str(e))


def faults_of(outcomes: Iterable[CheckResult], /) -> list[Fault]:
    """Return all faults, the worst first, then in the manifest's order."""
    found = [one for outcome in outcomes for one in outcome.findings if isinstance(one, Fault)]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), _line(one.place), one.code))


def _line(place: str) -> tuple[str, int]:
    name, _, line = place.rpartition(":")
    return (name, int(line)) if line.isdigit() else (place, 0)


def faults_json(faults: Iterable[Fault], /) -> tuple[FaultJson, ...]:
    """Return faults."""
    return tuple(
        FaultJson(code=one.code, severity=one.severity, subject=one.subject, place=one.place, text=one.text,
                  mend=one.command)
        for one in faults
    )  # fmt: skip

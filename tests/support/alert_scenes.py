"""What tests of incidents share: a channel in the plan, a finding, a process that dies."""

from phasegate.base.findings import CheckResult, Finding

CHANNEL = '\n[alerts.channel.ops]\nkind = "webhook"\n'


def finding(cause: str, code: str = "PG003") -> Finding:
    return Finding(code=code, subject=f"report of {cause}", text="not sent", command="phasegate sweep", cause=cause)


def found(*causes: str, check: str = "unsent", error: str = "") -> CheckResult:
    return CheckResult(check=check, findings=tuple(finding(cause) for cause in causes), error=error, evaluated=1)


class Killed(BaseException):
    """The process dies here."""

"""What is wrong with a manifest, or with what was deployed from it. Pure."""

from collections.abc import Mapping

from phasegate.base.findings import Code, Finding, Severity

KINDS: Mapping[str, Code] = {
    "DP001": Code("an unknown key", "error"),
    "DP002": Code("a key is missing", "error"),
    "DP003": Code("a wrong type or value", "error"),
    "DP004": Code("it names what is not in the manifest", "error"),
    "DP005": Code("Terraform's provider refuses it", "error"),
    "DP006": Code("Google's own message refuses it", "error"),
    "DP007": Code("gcloud refuses the command", "error"),
    "DP010": Code("retry is off", "error"),
    "DP011": Code("a push without an ID token", "error"),
    "DP012": Code("no dead letter where one is due", "error"),
    "DP013": Code("a dead letter where none may be", "error"),
    "DP014": Code("the ack deadline is shorter than the service's time limit", "error"),
    "DP015": Code("a scheduled call without an ID token", "error"),
    "DP016": Code("the audience is another one", "error"),
    "DP017": Code("a schedule in another zone", "error"),
    "DP018": Code("an account lacks a role that it needs", "error"),
    "DP019": Code("an account has a role that nothing needs", "warning"),
    "DP020": Code("a topic that nothing receives", "error"),
    "DP021": Code("anyone may call the service", "error"),
    "DP022": Code("heartbeats without CPU", "error"),
    "DP023": Code("the index of what is due is missing", "error"),
    "DP024": Code("an alert that can never fire", "error"),
    "DP025": Code("an alert that notifies no one", "error"),
    "DP026": Code("a duration that Cloud Monitoring refuses", "error"),
    "DP027": Code("a secret in plain text", "error"),
    "DP028": Code("a setting that the service needs is missing", "error"),
    "DP029": Code("dead letters that no alert watches", "error"),
    "DP030": Code("nothing sweeps", "error"),
    "DP031": Code("a variable that Phasegate does not know", "error"),
    "DP032": Code("the service wants signatures that Cloud Run has removed", "error"),
    "DP040": Code("it is not there", "error"),
    "DP041": Code("it is paused or disabled", "error"),
    "DP042": Code("it differs from the manifest", "error"),
    "DP043": Code("two subscriptions push the same topic to one place", "error"),
    "DP044": Code("a right was lost", "error"),
    "DP045": Code("a right that the manifest does not give", "warning"),
    "DP046": Code("traffic is pinned to a revision", "error"),
    "DP047": Code("a variable is missing or changed", "error"),
    "DP048": Code("a variable that the manifest does not name", "note"),
    "DP049": Code("it is there, and not in the manifest", "warning"),
}


class Fault(Finding, frozen=True, kw_only=True):
    """One thing that is wrong with a deployment.

    ``place``: file and line of the manifest, or where it was read. ``command``: what to change, or to type.
    """

    place: str

    @property
    def severity(self) -> Severity:
        """Return the severity of the fault's code."""
        return KINDS[self.code].severity

"""What was sent of an incident, and which checks no longer run."""

from phasegate.alerts.delivery import Notification
from phasegate.alerts.evaluations import Watch, neglected
from phasegate.alerts.incident import Incident
from phasegate.answers.times import Times
from phasegate.base.wording import count

CLOSE = "phasegate alerts close"


def delivered(post: Notification, /, *, times: Times) -> str:
    """Return what was delivered to a channel, and what is still pending."""
    known = post.delivered and post.at is not None
    sent = f"{post.delivered} delivered at {times.moment(post.at or 0.0)}" if known else "nothing delivered"
    if not post.pending:
        return sent
    due = times.now if post.due is None else post.due
    when = f"next at {times.moment(due)}" if due > times.now else "due now"
    why = f"{count(post.tries, 'try', 'tries')}: {post.error or 'no answer yet'}, " if post.tries else ""
    return f"{sent}; {post.pending} pending ({why}{when})"


def neglected_text(incident: Incident, /, *, watched: Watch, times: Times) -> str:
    """Return the checks of an incident that were not evaluated lately.

    While they are not, no evaluation resolves it. "" for none.
    """
    gone = neglected(watched, incident.seen)
    if incident.state != "open" or not gone:
        return ""
    return f"{', '.join(gone)} was not evaluated since {times.since(min(gone.values()))}: if that check is gone"

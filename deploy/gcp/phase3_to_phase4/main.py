"""phase3_to_phase4: the orchestrator, a Cloud Function on the topic of completions.

The gate decides when the next phase begins, and its trigger is sent from the document that decided.
"""

import gc
import os
from functools import cache
from typing import TYPE_CHECKING

# What is imported stays, and collections of garbage among it take an eighth of the time.
gc.disable()

import functions_framework  # noqa: E402
from google.cloud import firestore  # noqa: E402, F401, TID253  not only at the first event

from nba_props import PLATFORM_PLAN  # noqa: E402
from phasegate import Pipeline, connect, take_pushed  # noqa: E402

gc.freeze()
gc.enable()

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent


@cache
def pipeline() -> Pipeline:
    """Connect at the first event: a process that was forked makes clients of its own."""
    return connect(os.environ.get("PHASEGATE_PLAN") or PLATFORM_PLAN)


@functions_framework.cloud_event
def orchestrate(event: "CloudEvent") -> None:
    """Record a completion; raise, so that it is delivered again, if it is not recorded."""
    take_pushed(pipeline(), event.data)

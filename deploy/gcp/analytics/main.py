"""nba-phase3-analytics-processors: the processors of phase 3, a service that Pub/Sub pushes to.

A trigger begins the phase; a request runs the processor of its step, which takes the lease in ``run()``.
"""

import os
from functools import cache
from typing import TYPE_CHECKING

import functions_framework

from nba_props import PLATFORM_PLAN
from nba_props.processors import build_with
from phasegate import Pipeline, connect, take_pushed

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent


@cache
def pipeline() -> Pipeline:
    """Connect at the first event: a process that was forked makes clients of its own."""
    return build_with(connect(os.environ.get("PHASEGATE_PLAN") or PLATFORM_PLAN))


@functions_framework.cloud_event
def process(event: "CloudEvent") -> None:
    """Handle a trigger or a request; raise, so that it is delivered again, if it is not handled."""
    take_pushed(pipeline(), event.data)

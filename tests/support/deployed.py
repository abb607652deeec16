"""The entry points of deploy/gcp in this process, and what Pub/Sub pushes to them."""

import base64
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import functions_framework
from flask.testing import FlaskClient

from phasegate.gcp.carried import subscription_of
from tests.support.real_data import ROOT

GCP = ROOT / "deploy" / "gcp"


def app_of(name: str, *, target: str) -> FlaskClient:
    """Return a client of an entry point, as functions-framework serves it."""
    create: Any = functions_framework.create_app
    app = create(target, str(GCP / name / "main.py"), "cloudevent")
    client: FlaskClient = app.test_client()
    return client


def push(body: object, *, number: str, attributes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the body of a push: an object, or bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = {
        "data": base64.b64encode(data).decode(), "messageId": number, "publishTime": "2026-02-04T06:00:00Z",
        "attributes": dict(attributes or {}),
    }  # fmt: skip
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


@contextmanager
def pulled(project: str, topic: str) -> "Iterator[Any]":
    """Subscribe to a topic for the block; gives a function that returns what has come, as bodies of pushes."""
    from google.pubsub_v1 import SubscriberClient

    subscriber = SubscriberClient()
    path = subscriber.subscription_path(project, subscription_of(topic, pipeline=f"t{uuid4().hex[:8]}"))
    subscriber.create_subscription(name=path, topic=f"projects/{project}/topics/{topic}")

    def take() -> list[dict[str, Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # an empty topic would take the call's timeout
            found = subscriber.pull(subscription=path, max_messages=100, return_immediately=True).received_messages
        if found:
            subscriber.acknowledge(subscription=path, ack_ids=[one.ack_id for one in found])
        return [
            push(one.message.data, number=one.message.message_id, attributes=dict(one.message.attributes))
            for one in found
        ]

    try:
        yield take
    finally:
        subscriber.transport.close()

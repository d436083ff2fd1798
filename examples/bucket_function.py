"""A function that queues each new object of a bucket for a load.

S3 calls it with its events, or SQS does with messages that have them. It needs the environment variable DATABASE, a
connection string of a role with trips.grant_loader(), and psycopg.
"""

import json
import os
import urllib.parse

import psycopg


def addresses(event):
    """The addresses of the new objects of an event."""
    for record in event.get("Records", []):
        if "body" in record:  # a message of SQS
            yield from addresses(json.loads(record["body"]))
        elif record.get("eventName", "").startswith("ObjectCreated:"):
            bucket = record["s3"]["bucket"]["name"]
            # Keys are URL-encoded in events.
            key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
            # Programs make empty objects that are shown as folders.
            if record["s3"]["object"].get("size") != 0:
                yield f"s3://{bucket}/{key}"


def handler(event, context):
    """Queues the objects; the load numbers. An error lets the caller deliver the event again."""
    with psycopg.connect(os.environ["DATABASE"], connect_timeout=5) as client:
        return [
            client.execute("SELECT trips.submit(%s)", (address,)).fetchone()[0]
            for address in addresses(event)
        ]

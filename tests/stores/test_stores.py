"""Loads from S3 (moto) and Azure (Azurite)."""

import os
import time

import boto3
import psycopg
import pytest

import bucket_function
from conftest import csv


def load(database, address):
    return database.execute(
        "SELECT state, rows_inserted, source_version FROM trips.ingest(%s)", (address,)
    ).fetchone()


def test_an_object_of_s3(database, s3):
    etag = s3.put_object(Bucket="trips", Key="in/first file.csv", Body=csv("first", 1000))["ETag"]
    assert load(database, "s3://trips/in/first file.csv") == ("loaded", 1000, etag)
    assert load(database, "s3://trips/in/first file.csv")[0] == "skipped"


def test_a_pattern_of_s3(database, s3):
    for n in range(5):
        s3.put_object(Bucket="trips", Key=f"in/pattern/{n}.csv", Body=csv(f"pattern {n}"))
    call = "CALL trips.ingest_new('s3://trips/in/pattern/*.csv')"
    assert database.execute(call).fetchone()[:3] == (5, 0, 0)
    assert database.execute(call).fetchone()[:3] == (0, 0, 0)


def test_a_missing_object(database, s3):
    with pytest.raises(psycopg.errors.UndefinedFile):
        load(database, "s3://trips/in/nothing.csv")


def test_from_the_upload_to_the_history_by_an_event(database, s3):
    """Upload, notification, function, queue, worker, history."""
    sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    queue = sqs.create_queue(QueueName="uploads")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(
        Bucket="trips",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    s3.put_object(Bucket="trips", Key="in/by event+1.csv", Body=csv("event", 10))
    os.environ["DATABASE"] = "user=etl"
    loads = []
    end = time.monotonic() + 30
    while not loads and time.monotonic() < end:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        event = {"Records": [{"body": m["Body"]} for m in answer.get("Messages", [])]}
        loads += bucket_function.handler(event, None)
        # The event arrives twice: the bytes are known.
        loads += bucket_function.handler(event, None)
    assert len(loads) == 2
    query = "SELECT count(*) FROM trips.loads WHERE load_id = ANY (%s) AND state IN ('loaded', 'skipped')"
    end = time.monotonic() + 60
    while database.execute(query, (loads,)).fetchone()[0] < 2 and time.monotonic() < end:
        time.sleep(0.1)
    states = "SELECT state, source, requested_by FROM trips.loads WHERE load_id = ANY (%s) ORDER BY state"
    assert database.execute(states, (loads,)).fetchall() == [
        ("loaded", "s3://trips/in/by event+1.csv", "etl"),
        ("skipped", "s3://trips/in/by event+1.csv", "etl"),
    ]
    count = "SELECT count(*) FROM trips.hist_trip_data WHERE region = 'event'"
    assert database.execute(count).fetchone()[0] == 10


@pytest.mark.skipif("AZURITE_BLOB_STORAGE_URL" not in os.environ, reason="Azurite does not run")
def test_objects_of_azure(database):
    from azure.storage.blob import BlobServiceClient

    # The published key of the emulator.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    url = os.environ["AZURITE_BLOB_STORAGE_URL"] + "/devstoreaccount1"
    service = BlobServiceClient(url, credential={"account_name": "devstoreaccount1", "account_key": key})
    container = service.create_container("trips")
    for n in range(5):
        container.upload_blob(f"in/{n}.csv", csv(f"azure {n}", 100))
    assert load(database, "az://trips/in/0.csv")[:2] == ("loaded", 100)
    call = "CALL trips.ingest_new('az://trips/in/*.csv')"
    # The first one is known.
    assert database.execute(call).fetchone()[:3] == (4, 0, 0)
    assert database.execute(call).fetchone()[:3] == (0, 0, 0)

"""A cluster whose environment names servers of stores, and clients of both. scripts/test_stores.sh starts them."""

import os

import boto3
import psycopg
import pytest

HEADER = "region,origin_coord,destination_coord,date_time,datasource\n"


def csv(region, count=1):
    """A file with this number of trips."""
    lines = [
        f"{region},POINT (1 2),POINT (3 4),2018-05-01 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},source\n"
        for n in range(count)
    ]
    return (HEADER + "".join(lines)).encode()


@pytest.fixture(scope="session")
def database():
    """The superuser of the cluster."""
    allowed = "s3://trips/in, gs://trips/in, az://trips/in"
    with psycopg.connect(autocommit=True) as client:
        client.execute(f"ALTER DATABASE trips SET trips.allowed_urls = '{allowed}'")
    with psycopg.connect(autocommit=True) as client:
        client.execute("CREATE ROLE etl LOGIN")
        client.execute("SELECT trips.grant_loader('etl')")
        yield client


@pytest.fixture(scope="session")
def s3():
    """A client of the S3 server, with its bucket."""
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(
        Bucket="trips", CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_REGION"]}
    )
    return client

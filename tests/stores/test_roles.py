"""Credentials of roles: scripts/test_stores.sh starts a cluster for each kind of them, without keys.

The S3 server (moto) checks the signature, the session token and the policy of the role in each request."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import boto3
import botocore.exceptions
import psycopg
import pytest

from conftest import csv

KIND = os.environ.get("TRIPS_STORES_ROLE")
GOOGLE = "/computeMetadata/v1/instance/service-accounts/default/token"
pytestmark = pytest.mark.skipif(KIND is None, reason="the cluster has keys")

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
READS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::*"}
    ],
}


def client(service):
    """A client with a key of its own: the environment has none."""
    return boto3.client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def control(action, text=""):
    """Controls the S3 server."""
    address = os.environ["AWS_ENDPOINT_URL"] + "/moto-api/" + action
    request = Request(address, text.encode(), {"Content-Type": "text/plain"}, method="POST")
    urlopen(request, timeout=10).read()


def check_requests(after):
    """The S3 server checks all requests but the first ones; inf: none."""
    control("reset-auth", str(after))


class Issuer(BaseHTTPRequestHandler):
    """The server of a machine, of a container, and of the identities of another system."""

    role = None
    credentials = None
    issued = 0

    def do_PUT(self):
        self.answer(200, "session") if self.path == "/latest/api/token" else self.answer(401)

    def do_GET(self):
        path = "/latest/meta-data/iam/security-credentials/"
        has_session = self.headers["X-aws-ec2-metadata-token"] == "session"
        has_token = self.headers["Authorization"] == "the token"
        if self.path == path and has_session:
            self.answer(200, "reader")
        elif (self.path == path + "reader" and has_session) or (self.path == "/v1/credentials" and has_token):
            names = {"AccessKeyId": "AccessKeyId", "SecretAccessKey": "SecretAccessKey", "Token": "SessionToken"}
            answer = {name: self.credentials[of_role] for name, of_role in names.items()}
            self.issue(json.dumps(answer | {"Expiration": "2099-01-01T00:00:00Z"}))
        elif self.path.startswith(GOOGLE) and self.headers["Metadata-Flavor"] == "Google":
            self.issue(json.dumps({"access_token": "the token", "expires_in": 3600, "token_type": "Bearer"}))
        else:
            self.answer(401)

    def do_POST(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if (query["WebIdentityToken"], query["RoleArn"]) != ("the token", os.environ["AWS_ROLE_ARN"]):
            self.answer(403)
            return
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        fields = "".join(f"<{name}>{self.credentials[name]}</{name}>" for name in names)
        fields += "<Expiration>2099-01-01T00:00:00Z</Expiration>"
        result = "AssumeRoleWithWebIdentityRes"
        self.issue(f"<{result}ponse><{result}ult><Credentials>{fields}</Credentials></{result}ult></{result}ponse>")

    def issue(self, text):
        Issuer.issued += 1
        self.answer(200, text)

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def issuer():
    """The server of credentials, at the port that the cluster's environment names."""
    with ThreadingHTTPServer(("127.0.0.1", int(os.environ["TRIPS_ISSUER_PORT"])), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Issuer
        server.shutdown()


@pytest.fixture
def s3(issuer):
    """A bucket, and a role that may read it. Afterwards, the server checks no requests."""
    check_requests("inf")
    control("reset")
    s3, iam = client("s3"), client("iam")
    region = os.environ["AWS_REGION"]
    s3.create_bucket(Bucket="trips", CreateBucketConfiguration={"LocationConstraint": region})
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="reader", PolicyName="reads", PolicyDocument=json.dumps(READS))
    assumed = client("sts").assume_role(RoleArn=role, RoleSessionName="loads")
    Issuer.credentials = assumed["Credentials"]
    yield s3
    check_requests("inf")


@pytest.mark.skipif(KIND == "google_machine", reason="no role of S3")
def test_a_role_that_may_read(database, issuer, s3):
    for n in range(3):
        s3.put_object(Bucket="trips", Key=f"in/{n}.csv", Body=csv(f"role {n}", 100))
    load = "SELECT state, rows_inserted FROM trips.ingest(%s)"
    call = "CALL trips.ingest_new('s3://trips/in/*.csv')"
    check_requests(0)
    with pytest.raises(botocore.exceptions.ClientError):
        s3.head_object(Bucket="trips", Key="in/0.csv")
    assert database.execute(load, ("s3://trips/in/0.csv",)).fetchone() == ("loaded", 100)
    assert database.execute(load, ("s3://trips/in/1.csv",)).fetchone() == ("loaded", 100)
    assert issuer.issued == 1
    assert database.execute(call).fetchone()[:3] == (1, 0, 0)
    # Another session fetches its own credentials.
    with psycopg.connect(autocommit=True) as other:
        assert other.execute(load, ("s3://trips/in/0.csv",)).fetchone()[0] == "skipped"
        assert issuer.issued == 2
        # Without its policy, the role may not read.
        check_requests("inf")
        s3.put_object(Bucket="trips", Key="in/3.csv", Body=csv("role 3"))
        client("iam").delete_role_policy(RoleName="reader", PolicyName="reads")
        check_requests(0)
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
            other.execute(load, ("s3://trips/in/3.csv",))
    query = "SELECT string_agg(concat_ws(' ', e.*::text, l.error), '') FROM trips.load_errors AS e JOIN trips.loads AS l USING (load_id)"
    shown = database.execute(query).fetchone()[0]
    secrets = [Issuer.credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    assert shown and not any(secret in shown for secret in secrets)


@pytest.mark.skipif(KIND != "google_machine", reason="no account of Google")
def test_the_account_of_a_machine(database, issuer, s3):
    """Google's API for objects is much like S3's. This server does not look at the token."""
    s3.put_object(Bucket="trips", Key="in/0.csv", Body=csv("account", 100))
    load = "SELECT state, rows_inserted FROM trips.ingest('gs://trips/in/0.csv')"
    assert database.execute(load).fetchone() == ("loaded", 100)
    assert issuer.issued == 1


def test_a_server_of_credentials_is_no_source(database, issuer):
    port = os.environ["TRIPS_ISSUER_PORT"]
    for address in (f"http://127.0.0.1:{port}/v1/credentials", "http://169.254.169.254/latest/meta-data"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute("SELECT trips.ingest(%s)", (address,))

#!/usr/bin/env python3
"""Makes vectors.json: requests for objects as Alibaba's own SDK signs them.

    python3 -m venv DIR && DIR/bin/pip install alibabacloud-oss-v2==1.4.1
    DIR/bin/python tests/support/oss/vectors.py > tests/support/oss/vectors.json
"""
import datetime
import json
from urllib.parse import quote

from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext

RANGED = {"Range": "bytes=5-", "If-Match": '"5B3C1A2E053D763E1B002CC607C5A0FE"', "Host": "jars.oss-cn-hangzhou.aliyuncs.com"}

CASES = [
    # what, region, time, token, bucket, key, query, headers, additional headers
    ("plain", "cn-hangzhou", (2026, 11, 29, 10, 11, 12), None, "jars", "spindle", "", {}, []),
    ("a token", "cn-beijing", (2026, 1, 2, 3, 4, 5), "CAIS+/token=", "jars", "bin/spindle", "", {}, []),
    ("range and host", "cn-hangzhou", (2026, 11, 29, 23, 59, 59), None, "jars", "spindle", "", RANGED, list(RANGED)),
    ("one of them", "cn-hangzhou", (2026, 11, 29, 23, 59, 59), None, "jars", "spindle", "", RANGED, ["range"]),
    ("all at once", "ap-southeast-1", (2024, 2, 29, 0, 0, 0), "CAIS", "my-jars-1", "a b/日本+%20/~x", "b=2&a=%2B1&acl",
     {"x-oss-range-behavior": "standard", "Content-Type": "text/plain", "X-Oss-Meta-A": "1", **RANGED}, list(RANGED)),
]


def vector(what, region, time, token, bucket, key, query, headers, additional):
    url = f"https://{bucket}.oss-{region}.aliyuncs.com/{quote(key, safe='/')}" + (f"?{query}" if query else "")
    secret = f"secret of {what}"
    credentials = StaticCredentialsProvider(f"id-{len(what)}", secret, token).get_credentials()
    request = HttpRequest("GET", url, headers=dict(headers))
    context = SigningContext(
        product="oss", region=region, bucket=bucket, key=key, request=request, credentials=credentials,
        signing_time=datetime.datetime(*time, tzinfo=datetime.timezone.utc),
    )
    context.additional_headers = additional
    SignerV4().sign(context)
    return {
        "what": what, "secret": secret, "region": region, "path": f"/{bucket}/{quote(key, safe='/')}", "query": query,
        "headers": dict(request.headers),
    }


print(json.dumps([vector(*case) for case in CASES], indent=1, ensure_ascii=False))

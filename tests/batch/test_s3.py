"""A batch from S3 to S3: with moto's server, where moto and s3fs are installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshopt.batch import Options, make_plan, run_batch
from meshopt.batch.batch import opened_status
from meshopt.batch.engines import Engine
from meshopt.batch.summary import write_summary
from meshopt.errors import InputError
from meshopt.settings import Override

s3fs: Any = pytest.importorskip("s3fs")
server: Any = pytest.importorskip("moto.server")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of a server with an empty bucket."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    serving = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    serving.start()
    try:
        host, port = serving.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        system = s3fs.S3FileSystem()
        system.mkdir("bucket")
        yield system
    finally:
        serving.stop()
        s3fs.S3FileSystem.clear_instance_cache()


def test_from_s3_to_s3(bucket: Any, sample: Path, quick: tuple[Override, ...], inline: Engine) -> None:
    bucket.put(str(sample), "bucket/in/dragon", recursive=True)
    bucket.pipe("bucket/in.jsonl", b'{"name": "a", "folder": "in/dragon"}\n{"name": "void", "folder": "in/void"}\n')
    options = Options("s3://bucket/in.jsonl", "s3://bucket/out", quick)
    with opened_status(options) as status:
        totals = run_batch(make_plan(options, status), inline, status)
        write_summary(status, options.output)
    bucket.invalidate_cache()
    assert (totals.done, totals.failures) == (1, ["void"])
    assert bucket.cat("bucket/out/summary.csv").count(b"\n") == 3
    assert bucket.info("bucket/out/a/mesh.glb")["size"] > 1000
    again = replace(options, resume=True)
    with opened_status(again) as status:
        assert make_plan(again, status).left == 1
    bucket.pipe("bucket/in/dragon/cameras.json", b"{}")
    bucket.invalidate_cache()
    with opened_status(again) as status:
        assert make_plan(again, status).left == 2
    with (
        pytest.raises(InputError, match="no bucket 'elsewhere'"),
        opened_status(Options("in.jsonl", "s3://elsewhere/out")),
    ):
        pass
    assert not bucket.exists("elsewhere")

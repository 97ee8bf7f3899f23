"""The schemas of django-tenants, with the real package on PostgreSQL."""

import json
import subprocess
import sys

from tests.house.source import ROOT


def test_each_run_is_in_the_schema_of_its_tenant_and_a_broken_one_stops_no_other(postgres_database):  # R21, R22
    command = [sys.executable, "-m", "tests.integrations.django.schemas", postgres_database]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["items"] == {
        name: sorted([f"awaited for {name}", f"kept for {name}", f"marker of {name}"])
        for name in ("acme", "globex", "initech")
    }
    assert said["states"] == {
        "acme": "succeeded",
        "broken": "scheduled",
        "globex": "succeeded",
        "initech": "succeeded",
    }
    assert said["schema"] == "public"

"""The jobs of the systems that Rota replaces, as process jobs; importable by a child."""

import os

from rota import Rota
from tests import shapes

app = Rota("memory://", tenants=["acme"])

for job in (
    shapes.my_job,
    shapes.my_failing_job,
    shapes.my_job_until_stopped,
    shapes.my_new_cron_job,
    shapes.InvalidatePendingRegistration,
):
    app.job(executor="process", per_tenant=job is shapes.my_new_cron_job)(job)


@app.job(executor="process", name="decorated")
class Decorated:
    """A class under a decorator: its module has the job under its name."""

    def run(self, number: int) -> list[object]:
        return [number + 1, os.getpid(), type(self).__name__]

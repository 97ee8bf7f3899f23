"""What is asked about jobs."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, Question, operation
from rota.views.jobs import JobDetail, JobRow, job_detail, jobs_overview


@operation("GET", "/api/v1/jobs", needs=Capability.READ)
def list_jobs(desk: Desk, _asked: Nothing) -> Page[JobRow]:
    """List jobs with their schedule in words, their last runs and the next slot."""
    return Page(data=jobs_overview(desk.app))


class JobAsked(Question, frozen=True, kw_only=True):
    """Which job."""

    name: str


@operation("GET", "/api/v1/jobs/{name}", needs=Capability.READ)
def show_job(desk: Desk, asked: JobAsked) -> JobDetail:
    """Show one job with its policy and the tenants that fail."""
    return job_detail(desk.app, asked.name)

"""Which jobs and tenants there are for whoever asks, and what that makes of a question."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rota.core.access import Principal
from rota.core.model import Run, RunKind, Tenant
from rota.errors import Forbidden, JobNotFound, TenantNotFound
from rota.queries import ErrorQuery, IncidentQuery, MeasureQuery, RollupQuery, RoundQuery, RunQuery, ScheduleQuery

OfRuns = TypeVar("OfRuns", RunQuery, ErrorQuery, RollupQuery, MeasureQuery)
OfJobs = TypeVar("OfJobs", RoundQuery, ScheduleQuery, IncidentQuery)
Found = TypeVar("Found")


class Scope(Struct, frozen=True):
    """What there is for a principal. Two that see the same have equal ones."""

    jobs: frozenset[str] | None
    """Names of jobs; None is every one, also those that this code does not have."""
    tenants: frozenset[str] | None
    """None is every one, and what is of no tenant."""
    watches: frozenset[str] = frozenset()
    """Names of scripts outside of Rota, which are of no tenant."""

    @classmethod
    def of(cls, principal: Principal, *, jobs: Iterable[str], watches: Iterable[str] = ()) -> "Scope":
        """Return the scope of a principal in an application that has these jobs, and watches these scripts."""
        # "" stands in the store for what is of no tenant, and nobody is called so.
        tenants = None if principal.tenants is None else principal.tenants - {""}
        if "*" in principal.jobs:
            return cls(jobs=None, tenants=tenants)
        scripts = frozenset(filter(principal.knows_job, watches)) if tenants is None else frozenset()
        return cls(jobs=frozenset(filter(principal.knows_job, jobs)), tenants=tenants, watches=scripts)

    def has_job(self, name: str) -> bool:
        """Whether there is this job for it."""
        return self.jobs is None or name in self.jobs

    def has_tenant(self, name: str | None) -> bool:
        """Whether there is this tenant for it; None and "" are what is of no tenant."""
        return self.tenants is None or (name is not None and name in self.tenants)

    def has_run(self, run: Run) -> bool:
        """Whether there is this run for it. One that lists tenants is of no tenant."""
        return self.has_job(run.job) and self.has_tenant(run.tenant)

    def has_all(self, tenants: Iterable[str] | None) -> bool:
        """Whether there is each of these tenants for it; None is every tenant there is."""
        return self.tenants is None or (tenants is not None and all(map(self.has_tenant, tenants)))

    def of_these(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return those of these tenants that there are for it, in their order."""
        return tuple(filter(self.has_tenant, names))

    def within(self, query: OfRuns) -> OfRuns | None:
        """Return the query for no more than there is for it; None where that is nothing: no name is no narrowing."""
        jobs, tenants = _both(query.jobs, self.jobs), _both(query.tenants, self.tenants)
        return None if jobs is None or tenants is None else replace(query, jobs=jobs, tenants=tenants)

    def within_jobs(self, query: OfJobs) -> OfJobs | None:
        """Return the query for no more jobs than there are for it; None where that is none."""
        jobs = _both(query.jobs, self.jobs)
        return None if jobs is None else replace(query, jobs=jobs)

    def check_run(self, run: Run) -> None:
        """Refuse a run that would be of another job or tenant, as if there was none of that name.

        Raises:
            JobNotFound, TenantNotFound: there is none of that name for it.
            Forbidden: it would be of no tenant.
        """
        if not self.has_job(run.job):
            raise JobNotFound(run.job, known=self.jobs or ())
        if run.kind is RunKind.EXPANSION or self.has_tenant(run.tenant):
            return
        if run.tenant is None:
            raise Forbidden(f"a run of {run.job} for no tenant is for those who may see all tenants")
        raise TenantNotFound(run.tenant, known=self.tenants or ())


class SeenTenants:
    """The source of the tenants that there are for it."""

    allow_empty = True

    def __init__(self, listed: Callable[[], Sequence[Tenant]], scope: Scope) -> None:
        self._listed = listed
        self._scope = scope

    def tenants(self) -> Sequence[Tenant]:
        """Return those tenants that there are now, as the application lists them."""
        return [tenant for tenant in self._listed() if self._scope.has_tenant(tenant.id)]


def refilled(
    page_after: Callable[[Found | None], Sequence[Found]], keep: Callable[[Found], Found | None], *, size: int
) -> Iterator[Found]:
    """Yield what is kept of a list, page after page: `page_after` returns what comes after a row, `size` at a time.

    So a page is full where there is enough for it, and ends where it should, though the store cannot narrow by
    itself.
    """
    last: Found | None = None
    while page := page_after(last):
        yield from (kept for kept in map(keep, page) if kept is not None)
        if len(page) < size:
            return
        last = page[-1]


def _both(asked: Sequence[str], known: Collection[str] | None) -> tuple[str, ...] | None:
    """Return the names that were asked for and are known, where none asked for is all of them; None: there is none."""
    if known is None:
        return tuple(asked)
    return tuple(name for name in asked if name in known) or None if asked else tuple(sorted(known)) or None

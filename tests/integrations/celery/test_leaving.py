"""The end of a Celery worker: last of all, since the others need one."""

import pytest

from tests.system.processes import end

pytestmark = pytest.mark.xdist_group("celery")


@pytest.mark.parametrize("broker", ["redis"], indirect=True, scope="session")
def test_a_worker_that_ends_takes_leave(site):  # R45
    assert [worker for worker in site.app.store.workers() if not worker.queues]

    assert end(site.celery) == 0

    assert [worker for worker in site.app.store.workers() if not worker.queues] == []

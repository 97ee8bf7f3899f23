"""Settings as they are for whoever sees only some jobs and tenants."""

from collections.abc import Mapping

from msgspec.structs import replace

from rota.core.limits import LimitScope, known_as
from rota.seen.controls import is_limit_seen
from rota.seen.scope import Scope
from rota.settings import Settings


def seen_settings(settings: Settings, scope: Scope) -> Settings:
    """Return settings without the names of other jobs and tenants, of other scripts outside Rota, and of channels."""

    def seen(on: LimitScope, limits: Mapping[str, str]) -> Mapping[str, str]:
        return {name: limit for name, limit in limits.items() if is_limit_seen(known_as(on, name), scope)}

    limits = settings.limits
    watch = {name: text for name, text in settings.freshness.watch.items() if name in scope.watches}
    return replace(
        settings,
        limits=replace(
            limits,
            job=seen(LimitScope.JOB, limits.job),
            queue=seen(LimitScope.QUEUE, limits.queue),
            tenant=seen(LimitScope.TENANT, limits.tenant),
            key=seen(LimitScope.KEY, limits.key),
            host=seen(LimitScope.HOST, limits.host),
        ),
        freshness=replace(settings.freshness, watch=watch),
        alerts=replace(settings.alerts, channel=(), rule=()),
        # It traces nothing: whose application it is does.
        metrics=replace(settings.metrics, otel=False),
    )

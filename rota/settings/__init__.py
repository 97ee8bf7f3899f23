"""What can be configured, and where it is read from."""

from rota.settings.alerts import AlertSettings, ChannelSettings, RuleSettings
from rota.settings.freshness import FreshnessSettings
from rota.settings.loading import from_tables, load
from rota.settings.metrics import CloudWatchMode, MetricsSettings
from rota.settings.values import (
    LogFormat,
    LoggingSettings,
    LogLevel,
    Migrate,
    Mode,
    RetentionSettings,
    RetrySettings,
    SchedulerSettings,
    Settings,
    StoreSettings,
    TenantSettings,
    WorkerSettings,
)
from rota.settings.web import AuthMode, AuthSettings, KeySettings, WebSettings

__all__ = [
    "AuthMode",
    "AuthSettings",
    "KeySettings",
    "WebSettings",
    "CloudWatchMode",
    "MetricsSettings",
    "FreshnessSettings",
    "AlertSettings",
    "ChannelSettings",
    "RuleSettings",
    "from_tables",
    "load",
    "LogFormat",
    "LogLevel",
    "LoggingSettings",
    "Migrate",
    "Mode",
    "RetentionSettings",
    "RetrySettings",
    "SchedulerSettings",
    "Settings",
    "StoreSettings",
    "TenantSettings",
    "WorkerSettings",
]

"""All jobs: each module registers its own."""

from examples.casework.jobs import cleaning, email_matching, email_sync, monitoring, notifications, reports

__all__ = ["cleaning", "email_matching", "email_sync", "monitoring", "notifications", "reports"]

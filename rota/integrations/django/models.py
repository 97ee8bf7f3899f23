"""What the admin needs of schedules: a name for the permissions. Rota's tables are its own, and no models."""

from django.db import models


class Schedule(models.Model):
    """Stands for the schedules of the store, wherever that is; nothing is read or written through it."""

    name: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=255)

    class Meta:
        app_label = "rota"
        managed = False
        default_permissions = ()
        permissions = (
            ("view_schedule", "Can view schedules and their history"),
            ("change_schedule", "Can pause and resume schedules"),
            ("run_schedule", "Can run schedules now"),
        )

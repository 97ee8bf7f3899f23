"""What is kept."""

from django.db import models


class Crash(models.Model):
    """A program ended as it should not."""

    signature = models.CharField(max_length=200, blank=True)
    crashed_at = models.DateTimeField()


class Signature(models.Model):
    """A kind of crash, known since it was first seen."""

    text = models.CharField(max_length=200, unique=True)
    first_seen = models.DateTimeField()


class DailyReport(models.Model):
    """How many crashes there were on a day."""

    day = models.DateField(unique=True)
    crashes = models.IntegerField()

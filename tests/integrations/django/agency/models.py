"""What the app keeps."""

from django.db import models


class Item(models.Model):
    """A row that a test looks for."""

    name = models.CharField(max_length=100)

"""What the shop keeps."""

from django.db import models


class Order(models.Model):
    """Somebody wants something."""

    item = models.CharField(max_length=100)
    placed_at = models.DateTimeField(auto_now_add=True)
    confirmed_for = models.CharField(max_length=100, blank=True)

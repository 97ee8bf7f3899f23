"""What the shop answers."""

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop.jobs import confirm
from shop.models import Order


@csrf_exempt
@require_POST
@transaction.atomic
def place_order(request: HttpRequest) -> JsonResponse:
    """Keep an order, and have it confirmed: both or neither."""
    order = Order.objects.create(item=request.POST["item"])
    run = confirm.enqueue(order.pk)
    if not order.item:
        raise ValueError("an order of nothing")
    return JsonResponse({"order": order.pk, "run": run.id})

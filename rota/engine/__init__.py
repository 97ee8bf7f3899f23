"""What runs all the time: scheduler, worker, heartbeat, rescuer, pruner, and the loop that drives them."""

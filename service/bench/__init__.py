"""What watching costs: rows beside each other in one run, from nothing attached to the peers."""

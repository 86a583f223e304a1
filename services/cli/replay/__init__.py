"""`polycopy replay`: a recorded history through the production parts, on a virtual clock and in memory."""

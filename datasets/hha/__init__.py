"""HHA: depth as horizontal disparity, height above ground and angle of the surface with gravity."""

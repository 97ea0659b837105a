"""The fields of every type of object, as data: one module per area. What they mean is in `field`."""

"""Where a controller does not do what the others do: the traps of the appliance, one class per sort of item."""

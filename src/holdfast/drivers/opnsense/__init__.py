"""An OPNsense appliance as a target: its objects are states, its API is moved through with care, and nothing is believed."""

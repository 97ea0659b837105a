"""Objects of an OPNsense appliance: what they are called, which fields they have, and what a step may ask of them.

Pure, like all kinds. How an appliance is spoken to is in `holdfast.drivers.opnsense`.
"""

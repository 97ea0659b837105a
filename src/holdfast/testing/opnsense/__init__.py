"""A simulated OPNsense appliance: real HTTP, its own field tables, its hazards, and faults on demand.

with Simulator(profile="26.1") as appliance:
    client = connect(appliance.url, appliance.key, appliance.secret)
"""

from holdfast.testing.opnsense.faults import SCENARIOS
from holdfast.testing.opnsense.profile import PROFILES, Profile
from holdfast.testing.opnsense.recorded import Recorded
from holdfast.testing.opnsense.simulator import Simulator
from holdfast.testing.opnsense.tls import Certificate
from holdfast.testing.opnsense.users import User

__all__ = ["PROFILES", "SCENARIOS", "Certificate", "Profile", "Recorded", "Simulator", "User"]

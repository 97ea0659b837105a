"""Names the appliance knows by itself: service ports, protocols, words of its packet filter, type-of-service marks."""

from __future__ import annotations

from typing import Final

PORTS: Final = {
    "afs3-fileserver": 7000, "aol": 5190, "auth": 113, "avt-profile-1": 5004, "cvsup": 5999, "domain": 53, "ftp": 21,
    "hbci": 3000, "http": 80, "https": 443, "igmpv3lite": 465, "imap": 143, "imaps": 993, "ipsec-msft": 4500,
    "isakmp": 500, "l2f": 1701, "ldap": 389, "microsoft-ds": 445, "ms-streaming": 1755, "ms-wbt-server": 3389,
    "msnp": 1863, "nat-stun-port": 3478, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ssn": 139, "nntp": 119,
    "ntp": 123, "openvpn": 1194, "pop3": 110, "pop3s": 995, "pptp": 1723, "radius": 1812, "radius-acct": 1813,
    "rfb": 5900, "sip": 5060, "smtp": 25, "snmp": 161, "snmptrap": 162, "ssh": 22, "submission": 587, "telnet": 23,
    "teredo": 3544, "tftp": 69, "urd": 465, "wins": 1512,
}  # fmt: skip

PROTOCOLS: Final = (
    "any", "ICMP", "IGMP", "GGP", "IPENCAP", "ST2", "TCP", "CBT", "EGP", "IGP", "UDP", "HMP", "RDP", "ISO-TP4", "DCCP", "XTP",
    "DDP", "IDRP", "RSVP", "GRE", "DSR", "ESP", "AH", "SKIP", "IPV6-ICMP", "EIGRP", "OSPF", "AX.25", "IPIP", "ETHERIP",
    "ENCAP", "PIM", "IPCOMP", "VRRP", "CARP", "L2TP", "ISIS", "SCTP", "FC", "UDPLITE", "MPLS-IN-IP", "PFSYNC",
    "TCP/UDP",
)  # fmt: skip

_FILTER_WORDS: Final = """
all allow-opts and any anchor antispoof block binat drop file flags floating from group icmp-type icmp6-type if-bound in
inet inet6 keep label load log match max modulate nat no on os out pass port proto queue quick rdr reply-to return rtable
route-to scrub self set source-hash state static-port synproxy sloppy table tag tagged timeout to tos ttl user
"""
FILTER_WORDS: Final = frozenset(_FILTER_WORDS.split())

BUILT_IN_ALIASES: Final = ("bogons", "bogonsv6", "virusprot", "sshlockout")

TOS: Final = (
    "lowdelay", "critical", "inetcontrol", "netcontrol", "throughput", "reliability", "ef",
    *(f"af{group}{drop}" for group in range(1, 5) for drop in range(1, 4)),
    *(f"cs{group}" for group in range(8)),
    *(f"{value:#x}" for value in range(256)),
)  # fmt: skip

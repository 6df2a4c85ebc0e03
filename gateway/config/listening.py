"""Who can reach an address that is listened on."""

from ipaddress import ip_address


def is_loopback(address: str) -> bool:
    """Whether only programs on this machine can connect; a name other than localhost counts as reachable."""
    if address.lower() == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False

//! IP addresses that no object has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses outside of the link-local ranges where clouds answer with credentials: Alibaba, Oracle, Azure.
const METADATA: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
/// Names of servers that answer with credentials.
const METADATA_NAMES: [&str; 3] =
    ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any other machine.
    Other,
    /// This machine.
    Loopback,
    /// The local link, a server of credentials, or no single machine.
    Refused,
}

/// What an IP address is; an IPv4 address in an IPv6 one is looked at itself.
pub fn reach_of(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_of_v4(ip),
        IpAddr::V6(ip) => reach_of_v6(ip),
    }
}

/// Whether a name is that of a server of credentials.
pub fn is_metadata_name(host: &str) -> bool {
    METADATA_NAMES.contains(&host) || host == "instance-data"
}

fn reach_of_v4(ip: Ipv4Addr) -> Reach {
    if ip.is_loopback() {
        Reach::Loopback
    } else if ip.octets()[0] == 0
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || METADATA.contains(&ip)
    {
        Reach::Refused
    } else {
        Reach::Other
    }
}

fn reach_of_v6(ip: Ipv6Addr) -> Reach {
    let [first, second, .., high, low] = ip.segments();
    if ip.is_loopback() {
        return Reach::Loopback;
    }
    let is_translated = (first, second) == (0x64, 0xff9b);
    if let Some(v4) = ip.to_ipv4_mapped() {
        return reach_of_v4(v4);
    }
    if is_translated || ip.segments()[..6].iter().all(|part| *part == 0) {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return reach_of_v4(Ipv4Addr::new(a, b, c, d));
    }
    // fd00:ec2::254 is the metadata server of EC2.
    let is_metadata = (first, second) == (0xfd00, 0x0ec2);
    let is_link_local = first & 0xffc0 == 0xfe80;
    if is_metadata || is_link_local || ip.is_multicast() { Reach::Refused } else { Reach::Other }
}

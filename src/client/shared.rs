//! Addresses under which everybody arrives although no proxy forwards others: where source addresses are lost before they come here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use url::Url;

use crate::config::Config;

/// A listener on this machine alone that people elsewhere reach, and no trusted proxy: there must be one in front that nobody named.
pub fn is_proxy_unnamed(config: &Config, listening: SocketAddr, public_url: &Url) -> bool {
    let is_local = match public_url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(v4)) => v4.is_loopback(),
        Some(url::Host::Ipv6(v6)) => v6.is_loopback(),
        None => true,
    };
    listening.ip().is_loopback() && config.trusted_proxies.is_empty() && !is_local
}

/// What stands for many: this machine where a proxy here is not named, and the gateway of a private network, behind which a container's bridge or
/// a router that masquerades hides everybody.
pub fn addresses(config: &Config, listening: SocketAddr, public_url: &Url) -> Vec<IpNet> {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut shared: Vec<IpNet> = gateways(&routes).map(|gateway| IpNet::from(IpAddr::V4(gateway))).collect();
    if is_proxy_unnamed(config, listening, public_url) {
        shared.push(IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8));
        shared.push(IpNet::from(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)));
    }
    shared
}

/// Gateways of default routes with a private address, as Linux lists them: interface, destination and gateway in hexadecimal, and more.
fn gateways(routes: &str) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let default_route = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        // In the order of the machine's bytes.
        let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
        (destination == "00000000" && gateway.is_private()).then_some(gateway)
    };
    routes.lines().filter_map(default_route)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_private_default_gateway_is_read_out_of_linux_routes() {
        let routes = "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010011AC\t0003\t0\neth0\t000011AC\t00000000\t0001\t0\n\
            eth1\t00000000\t0A0AA8C0\t0003\neth2\t00000000\t08080808\t0003\nnonsense\n";
        let expected = [Ipv4Addr::new(172, 17, 0, 1), Ipv4Addr::new(192, 168, 10, 10)];
        assert_eq!(gateways(routes).collect::<Vec<_>>(), expected);
    }
}

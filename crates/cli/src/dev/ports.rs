//! Free ports on this machine. Taken below the range that the system gives to outgoing connections, so that a
//! cluster that is started again finds its ports free.

use std::net::{Ipv4Addr, TcpListener};

use crate::encoding::random;
use crate::failure::Failure;

const FIRST: u16 = 10_000;
const LAST: u16 = 29_999;

/// So many different addresses `127.0.0.1:port` that nobody listens on.
pub(super) fn free_addresses(count: usize) -> Result<Vec<String>, Failure> {
    let range = LAST - FIRST + 1;
    let mut port = FIRST + u16::from_be_bytes(random()?) % range;
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    for _ in 0..range {
        if held.len() == count {
            break;
        }
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
        port = if port == LAST { FIRST } else { port + 1 };
    }
    if held.len() < count {
        return Err(Failure::local(format!(
            "no {count} ports are free on this machine"
        )));
    }
    Ok(held.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn addresses_differ_and_can_be_listened_on() {
        let addresses = free_addresses(9).unwrap();
        assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), 9);
        for address in &addresses {
            let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
            assert!((FIRST..=LAST).contains(&port));
        }
        let _taken = TcpListener::bind(&addresses[0]).unwrap();
        assert!(!free_addresses(9).unwrap().contains(&addresses[0]));
    }
}

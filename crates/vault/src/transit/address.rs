//! Where the server of the keys is.

use std::net::IpAddr;

use ureq::http::Uri;

const ADDRESS_BYTES_MAX: usize = 256;

/// Why a server's address or mount cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitAddressError {
    /// The address.
    #[error("the address {0}")]
    Address(&'static str),
    /// The mount.
    #[error("the mount {0}")]
    Mount(&'static str),
}

/// A server's address and where its transit engine is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitAddress {
    base: String,
    is_https: bool,
}

impl TransitAddress {
    /// `address` is `https://HOST[:PORT]`; plain `http` is taken for this machine alone. `mount` is the path of the
    /// engine, with the namespace before it if there is one.
    pub fn new(address: &str, mount: &str) -> Result<Self, TransitAddressError> {
        use TransitAddressError::{Address, Mount};
        if address.len() > ADDRESS_BYTES_MAX || mount.len() > ADDRESS_BYTES_MAX {
            return Err(Address("and the mount have at most 256 bytes each"));
        }
        let uri: Uri = address.parse().map_err(|_| Address("is no URL"))?;
        let authority = uri.authority().ok_or(Address("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(Address("must not have a user or password"));
        }
        if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(Address("must end after the host and port"));
        }
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(authority.host()) => false,
            Some("http") => return Err(Address("must be https, but for this machine itself")),
            _ => return Err(Address("must be https")),
        };
        let is_name = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !part.is_empty() && part.bytes().all(plain)
        };
        if !mount.split('/').all(is_name) {
            return Err(Mount(
                "must be names of letters, digits, - and _, with single / between them",
            ));
        }
        Ok(Self {
            base: format!("{}/v1/{mount}", address.trim_end_matches('/')),
            is_https,
        })
    }

    /// Whether the server shows a certificate.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The URL of `path` below the mount.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, mount: &str) -> Result<String, TransitAddressError> {
        TransitAddress::new(address, mount).map(|address| address.url("keys"))
    }

    #[test]
    fn servers_and_mounts_become_urls() {
        for (address, mount, expected) in [
            (
                "https://bao.example:8200",
                "transit",
                "https://bao.example:8200/v1/transit/keys",
            ),
            (
                "https://bao.example/",
                "ns1/eunoe-a",
                "https://bao.example/v1/ns1/eunoe-a/keys",
            ),
            (
                "http://127.0.0.1:8200",
                "t_1",
                "http://127.0.0.1:8200/v1/t_1/keys",
            ),
            ("http://[::1]:8200", "t", "http://[::1]:8200/v1/t/keys"),
            ("http://localhost", "t", "http://localhost/v1/t/keys"),
        ] {
            assert_eq!(url(address, mount).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_would_go_astray_is_refused() {
        for address in [
            "",
            "bao.example",
            "ftp://bao.example",
            "http://bao.example:8200",
            "http://127.0.0.1.example",
            "https://user:word@bao.example",
            "https://bao.example/v1",
            "https://bao.example/?a=b",
            "https://bao example",
        ] {
            let refused = url(address, "transit");
            assert!(
                matches!(refused, Err(TransitAddressError::Address(_))),
                "{address}: {refused:?}"
            );
        }
        for mount in ["", "/", "/transit", "transit/", "a//b", "../sys", "a?b", "a b"] {
            let refused = url("https://bao.example", mount);
            assert!(
                matches!(refused, Err(TransitAddressError::Mount(_))),
                "{mount}: {refused:?}"
            );
        }
    }
}

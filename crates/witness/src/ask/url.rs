//! Where a witness is.

use ureq::http::Uri;

const URL_BYTES_MAX: usize = 256;

/// Why a witness's URL cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a witness's URL {0}")]
pub struct WitnessUrlError(&'static str);

/// A witness's submission prefix: `http[s]://HOST[:PORT][/PATH]`. Plain HTTP gives nothing away and can fake nothing: checkpoints are
/// public, and cosignatures are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessUrl {
    prefix: String,
    is_https: bool,
}

impl WitnessUrl {
    /// Reads a URL.
    pub fn new(url: &str) -> Result<Self, WitnessUrlError> {
        if url.len() > URL_BYTES_MAX {
            return Err(WitnessUrlError("has at most 256 bytes"));
        }
        // Of a fragment the parser says nothing.
        if url.contains('#') {
            return Err(WitnessUrlError("must not have a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| WitnessUrlError("is none"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WitnessUrlError("must begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or(WitnessUrlError("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(WitnessUrlError("must not have a user or password"));
        }
        if uri.query().is_some() {
            return Err(WitnessUrlError("must not have a query"));
        }
        let prefix = url.trim_end_matches('/').to_owned();
        Ok(Self { prefix, is_https })
    }

    /// Whether the witness shows a certificate.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    pub(super) fn add_checkpoint(&self) -> String {
        format!("{}/add-checkpoint", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_become_urls() {
        for (url, expected) in [
            ("https://w.example", "https://w.example/add-checkpoint"),
            ("http://127.0.0.1:80/", "http://127.0.0.1:80/add-checkpoint"),
            ("https://w.example/a/b/", "https://w.example/a/b/add-checkpoint"),
        ] {
            assert_eq!(WitnessUrl::new(url).unwrap().add_checkpoint(), expected);
        }
    }

    #[test]
    fn what_would_go_astray_is_refused() {
        let long = format!("https://w.example/{}", "a".repeat(URL_BYTES_MAX));
        for url in [
            "",
            "w.example",
            "/add-checkpoint",
            "ftp://w.example",
            "https://user:word@w.example",
            "https://w.example/?a=b",
            "https://w.example/#a",
            "https://w example",
            &long,
        ] {
            assert!(WitnessUrl::new(url).is_err(), "{url}");
        }
    }
}

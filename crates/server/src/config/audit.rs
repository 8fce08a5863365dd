//! Who else signs checkpoints of the transparency log.

use std::path::PathBuf;

use eunoe_evidence::{SignatureType, VerifierKey};
use eunoe_witness::WitnessUrl;
use serde::Deserialize;

use super::ConfigError;

/// Witnesses of one cluster at most.
const WITNESSES_MAX: usize = 16;

/// Who witnesses the transparency log: the same on all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditConfig {
    /// Witnesses that are asked for their signatures.
    pub witnesses: Vec<WitnessConfig>,
    /// How many of them must have signed before a receipt is given; none are asked for if there are none.
    pub quorum: usize,
}

/// One witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessConfig {
    /// Its key, as it gives it out.
    pub key: VerifierKey,
    /// Where it is asked.
    pub url: WitnessUrl,
    /// The same as text, for the policy.
    pub address: String,
    /// PEM file of the authorities that its certificate must lead to, over HTTPS.
    pub ca: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditFile {
    #[serde(default)]
    witnesses: Vec<WitnessFile>,
    quorum: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessFile {
    key: String,
    url: String,
    ca: Option<PathBuf>,
}

impl AuditFile {
    pub(super) fn read(self) -> Result<AuditConfig, ConfigError> {
        if self.witnesses.len() > WITNESSES_MAX {
            return Err(ConfigError::field("audit.witnesses", "must be at most 16"));
        }
        let witnesses = self.witnesses.into_iter().enumerate();
        let witnesses = witnesses
            .map(|(index, witness)| witness.read(index))
            .collect::<Result<Vec<_>, _>>()?;
        let most = witnesses.len();
        let quorum = self.quorum.unwrap_or(most.min(1));
        if quorum > most {
            return Err(ConfigError::field(
                "audit.quorum",
                "must be at most the number of witnesses",
            ));
        }
        Ok(AuditConfig { witnesses, quorum })
    }
}

impl WitnessFile {
    fn read(self, index: usize) -> Result<WitnessConfig, ConfigError> {
        let field = |name| format!("audit.witnesses[{index}].{name}");
        let key = VerifierKey::parse(&self.key);
        let key = key.map_err(|_| ConfigError::field(&field("key"), "must be a verifier key"))?;
        if key.signature_type() != SignatureType::Cosignature {
            return Err(ConfigError::field(
                &field("key"),
                "must be a key for cosignatures",
            ));
        }
        let url = WitnessUrl::new(&self.url);
        Ok(WitnessConfig {
            key,
            url: url.map_err(|_| {
                ConfigError::field(&field("url"), "must be an http or https URL without a query")
            })?,
            address: self.url,
            ca: self.ca,
        })
    }
}

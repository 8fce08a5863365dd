//! What a node shows to the network: its certificates, the issuer of its tokens, its links to peers.

use super::NodeError;
use crate::config::Config;
use crate::oidc::Issuer;
use crate::peer::PeerLinks;
use crate::tls::{PeerDirectory, TlsMaterial};

/// What listeners and connections are made of.
pub(super) struct Doors {
    pub(super) material: TlsMaterial,
    pub(super) issuer: Option<Issuer>,
    pub(super) directory: PeerDirectory,
    pub(super) links: PeerLinks,
}

impl Doors {
    /// Reads what the configuration names.
    pub(super) fn open(config: &Config) -> Result<Self, NodeError> {
        let material = TlsMaterial::load(config)?;
        let issuer = config.oidc.as_ref().map(Issuer::load).transpose()?;
        let directory = PeerDirectory::new(config.placement, config.peer_entries());
        let links = PeerLinks::new(material.clone(), directory.clone());
        Ok(Self {
            material,
            issuer,
            directory,
            links,
        })
    }
}

//! The calls of `AuditService`. All of them read.

use eunoe_proto::audit::audit_service_client::AuditServiceClient;
use eunoe_proto::audit::{GetCheckpointRequest, GetPolicyRequest, GetTileRequest};

use crate::channels::Connection;
use crate::retry::Repeat;
use crate::{Client, ClientError};

/// What auditors may ask for; see [`Client::audit`].
pub struct Audit<'a> {
    client: &'a Client,
}

fn stub(channel: Connection) -> AuditServiceClient<Connection> {
    AuditServiceClient::new(channel)
}

impl<'a> Audit<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// A signed checkpoint of the transparency log (C2SP tlog-checkpoint), as the answering node has it. Nothing of it was
    /// checked.
    pub async fn checkpoint(&self) -> Result<String, ClientError> {
        let rpc = |channel, request| async move { stub(channel).get_checkpoint(request).await };
        let answer = self.client.call(Repeat::Safe, GetCheckpointRequest {}, rpc);
        Ok(answer.await?.checkpoint)
    }

    /// A tile of hashes or a bundle of entries by its path (C2SP tlog-tiles). Nothing of it was checked.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if the answering node's log does not have it yet.
    pub async fn tile(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let request = GetTileRequest {
            path: path.to_owned(),
        };
        let rpc = |channel, request| async move { stub(channel).get_tile(request).await };
        Ok(self.client.call(Repeat::Safe, request, rpc).await?.content.into())
    }

    /// What a verifier may trust, as the cluster says it (C2SP tlog-policy): to be compared with what another channel says.
    pub async fn policy(&self) -> Result<String, ClientError> {
        let rpc = |channel, request| async move { stub(channel).get_policy(request).await };
        let answer = self.client.call(Repeat::Safe, GetPolicyRequest {}, rpc);
        Ok(answer.await?.policy)
    }
}

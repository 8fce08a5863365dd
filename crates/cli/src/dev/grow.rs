//! `eunoe dev add-node`: a new node, admitted and made a voter through the cluster's own API.

use std::path::Path;
use std::time::Duration;

use eunoe_client::cluster_types::AddNodeRequest;
use eunoe_client::{Client, ClientError, Context, ErrorCode, Pem};
use eunoe_types::Role;
use serde_json::json;
use tokio::time::Instant;

use super::authority::{ca_name, cert_name, key_name};
use super::health::Probe;
use super::layout::{Cluster, Layout, Node};
use super::processes::Processes;
use super::published;
use super::spawn::Children;
use super::stop::stop_processes;
use crate::failure::Failure;
use crate::output::{self, Output};

/// Between two tries to promote a node that is still catching up.
const PAUSE: Duration = Duration::from_millis(250);

/// Starts the node and leaves it running.
pub(super) async fn run(
    output: Output,
    dir: &Path,
    site: Option<String>,
    timeout: Duration,
) -> Result<(), Failure> {
    let (layout, mut cluster) = Layout::existing(dir)?;
    if Processes::read(&layout)?.alive_nodes().is_empty() {
        return Err(Failure::local("no node runs that could take the new one in"));
    }
    let client = operator(&layout, &cluster).await?;
    let node = cluster.prepare_node(&layout, site)?;
    let mut children = Children::default();
    children.start(&layout, &cluster, &node).await?;
    let admitted = admit(&layout, &client, &mut children, &node, timeout).await;
    if let Err(failure) = admitted {
        // It was not taken in: nothing may be left of it but its id, which is used up.
        let own = Processes::read(&layout)?.alive_nodes().into_iter();
        stop_processes(own.filter(|(id, _)| *id == node.id).collect()).await?;
        return Err(failure);
    }
    cluster.admit(&layout, node.id)?;
    let ready = published::write(&layout, &cluster)?;
    promote(&client, node.id, timeout).await?;
    let nodes = std::slice::from_ref(&node);
    children.wait_until(&layout, nodes, Probe::Ready, timeout).await?;
    let pid = ready.pids.last();
    let json = json!({"id": node.id, "pid": pid, "endpoint": node.client});
    output::result(output, &json, || {
        format!("node {} is a voter and serves at {}", node.id, node.client)
    })
}

async fn operator(layout: &Layout, cluster: &Cluster) -> Result<Client, Failure> {
    let tls = layout.tls();
    let role = Role::Operator.name();
    let context = Context::new(
        cluster.admitted().map(|node| node.client.clone()),
        Pem::Path(tls.join(ca_name())),
        Pem::Path(tls.join(cert_name(role))),
        Pem::Path(tls.join(key_name(role))),
        "",
    );
    Ok(Client::connect(context).await?)
}

/// Waits until the node answers its peers, and has the cluster take it in.
async fn admit(
    layout: &Layout,
    client: &Client,
    children: &mut Children,
    node: &Node,
    timeout: Duration,
) -> Result<(), Failure> {
    let nodes = std::slice::from_ref(node);
    children.wait_until(layout, nodes, Probe::Live, timeout).await?;
    let request = AddNodeRequest {
        node_id: node.id,
        client_address: node.client.clone(),
        peer_address: node.peer.clone(),
        spki_sha256: node.spki_sha256.clone(),
        site: node.site.clone(),
    };
    match client.cluster().add_node(request).await {
        Ok(_) => Ok(()),
        // An answer may have been lost: the list of nodes says whether the call took effect.
        Err(error) => {
            let known = client.cluster().nodes().await?;
            let taken_in = known
                .iter()
                .any(|known| known.id == node.id && known.spki_sha256 == node.spki_sha256);
            if taken_in { Ok(()) } else { Err(error.into()) }
        }
    }
}

/// Asks until the node has caught up or the time is over.
async fn promote(client: &Client, id: u64, timeout: Duration) -> Result<(), Failure> {
    let until = Instant::now() + timeout;
    loop {
        match client.cluster().promote_node(id).await {
            Ok(_) => return Ok(()),
            Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                let place = format!("node {id} is a learner; `eunoe cluster promote {id}` tries again: ");
                return Err(Failure::Client { place, error });
            }
        }
    }
}

fn may_pass(error: &ClientError) -> bool {
    let catching_up = matches!(error.code, ErrorCode::FailedPrecondition | ErrorCode::Aborted);
    catching_up || error.is_retryable()
}

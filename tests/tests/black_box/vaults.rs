//! Nodes whose vaults are of different kinds: a file, a token, a server. They share a root, destroy, and start cold.

#[expect(dead_code, reason = "the suite of the vaults themselves uses all of it")]
#[path = "../../../crates/vault/tests/vaults/openbao.rs"]
mod openbao;
#[path = "../../../crates/vault/tests/vaults/own_process.rs"]
mod own_process;
#[expect(dead_code, reason = "the suite of the vaults themselves uses all of it")]
#[path = "../../../crates/vault/tests/vaults/softhsm.rs"]
mod softhsm;

use std::collections::BTreeMap;

use eunoe_tests::cluster::{Cluster, Setup};

use crate::erasure::{PATIENT, TENANT, assert_erased, assert_intact, erase, in_full, shown, subject, talk};
use openbao::OpenBao;
use softhsm::Token;

/// The node with a token.
const TOKEN: u64 = 2;
/// The one with a server, whose policy is for this node.
const SERVER: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_vaults_of_all_kinds_destroys_starts_cold_and_survives_the_loss_of_one() {
    let place = tempfile::tempdir().unwrap();
    let (token, mut server) = (Token::new(place.path().to_owned()), OpenBao::start());
    let mut cluster = Cluster::start_with(Setup {
        arguments: PATIENT,
        tables_of: BTreeMap::from([(TOKEN, of_token(&token)), (SERVER, of_server(&server))]),
        environment: vec![("SOFTHSM2_CONF", token.settings())],
        ..Setup::default()
    })
    .await;
    let classes = async |cluster: &Cluster| {
        let nodes = cluster.status_of(3).await.nodes.into_iter();
        nodes.map(|node| (node.id, node.vault_class)).collect::<Vec<_>>()
    };
    let said = classes(&cluster).await;
    assert_eq!(said[..2], [(1, "delegated".to_owned()), (2, "test".to_owned())]);

    let client = cluster.client(TENANT).await;
    let (anna, bert) = (talk(&client, "anna").await, talk(&client, "bert").await);
    let erasure = erase(&client, subject("anna", true)).await;
    in_full(&client, &erasure.id).await;
    assert_eq!(
        server.keys().len(),
        1,
        "the server has the key of the current share alone"
    );

    let nodes = cluster.nodes();
    for node in &nodes {
        cluster.kill(*node).await;
    }
    cluster.restart(&nodes).await;
    for node in nodes {
        let of_node = cluster.client_of(node, TENANT).await;
        assert_erased(&of_node, &anna).await;
        assert_intact(&of_node, &bert).await;
    }

    // The shares of the two others are enough, for a node that starts as well.
    server.kill();
    cluster.kill(TOKEN).await;
    cluster.restart(&[TOKEN]).await;
    let of_node = cluster.client_of(TOKEN, TENANT).await;
    assert_eq!(shown(&of_node, &anna).await.0, Vec::<String>::new());
    assert_intact(&of_node, &bert).await;
}

fn of_token(token: &Token) -> String {
    let options = token.options();
    format!(
        "[vault]\nkind = \"pkcs11\"\nmodule = \"{}\"\ntoken_label = \"{}\"\npin_file = \"{}\"\n",
        options.module.display(),
        options.token,
        options.pin_file.display()
    )
}

fn of_server(server: &OpenBao) -> String {
    format!(
        "[vault]\nkind = \"transit\"\naddress = \"{}\"\ntoken_file = \"{}\"\n",
        server.address,
        server.token_file().display()
    )
}

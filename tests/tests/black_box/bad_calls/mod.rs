//! Calls that must be refused, each with its code, reason and field, and nothing of the cluster changed by any of them.

mod appends;
mod caller;
mod chat;
mod cluster;
mod erasure;
mod identity;
mod issuer;
mod reads;
mod special;
mod state;
mod table;
mod world;

use eunoe_tests::wait::until;

use state::State;
use table::Row;
use world::World;

const TENANT: &str = "demo";
const OTHER: &str = "other";
const PURPOSE: &str = "support";
/// Fewer would be a table that lost rows.
const ROWS_MIN: usize = 200;

async fn table(world: &World) -> Vec<Row> {
    let (token, position) = special::foreign_tokens(world).await;
    [
        chat::creations(world),
        chat::conversations(world),
        chat::lists(world),
        reads::pages(world, &token, &position),
        reads::tails(world, &position),
        reads::typing(world),
        appends::malformed(world),
        appends::refused(world),
        appends::sequences(world),
        identity::nobody(world),
        identity::roles(world),
        identity::people(world),
        identity::tenants(world),
        erasure::malformed(world),
        erasure::refused(world),
        erasure::looks(world),
        cluster::changes(world),
        cluster::strangers(world),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_calls_are_refused_by_name_and_change_nothing() {
    let world = World::begin().await;
    // What the erasure has below it is found a little later.
    let before = until("two looks at the cluster show the same", async || {
        let first = State::read(&world).await;
        let second = State::read(&world).await;
        first.differences(&second).is_empty().then_some(second)
    })
    .await;
    assert!(before.len() > 40, "{}", before.len());
    let rows = table(&world).await;
    assert!(rows.len() >= ROWS_MIN, "{}", rows.len());
    let mut complaints = Vec::new();
    // The nodes take turns: each would answer the same.
    for (row, address) in rows.iter().zip(world.addresses.iter().cycle()) {
        complaints.extend(row.complaint(address).await);
    }
    complaints.extend(special::handshakes(&world).await);
    special::over_quota(&world).await;
    let changed = before.differences(&State::read(&world).await);
    complaints.extend(changed.into_iter().map(|what| format!("changed: {what}")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    special::a_cancelled_stream_leaves_what_it_acknowledged(&world).await;
}

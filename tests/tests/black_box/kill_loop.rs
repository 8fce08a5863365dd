//! Nodes are killed one after another, sometimes two at once, while messages are written in every way: nothing that
//! was acknowledged is lost, nothing is there twice, nothing changes its place, and no subscriber misses a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eunoe_client::Client;
use eunoe_tests::cluster::Cluster;
use eunoe_tests::random::Random;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::erasure::{PATIENT, TENANT, assert_erased, erase, start, subject, talk};
use crate::load::{Load, Progress};
use crate::partition::{impatient, shows_nothing};

/// Kills when `EUNOE_KILLS` does not say how many.
const KILLS_DEFAULT: u64 = 6;
/// Acknowledged messages that show that the cluster works again.
const ADVANCE: u64 = 200;
/// How many of those who were erased last are asked for in a round.
const READ_AGAIN: usize = 8;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_doubled_or_moved_by_kills() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    kill_many(&mut cluster, &load).await;
    load.end_and_check(&cluster).await;
    all_files_are_sound(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fenced_is_readable_and_nothing_acknowledged_lost_by_kills_between_erasures() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    let load = Load::begin(&client).await;
    let erasing = Erasing::begin(&cluster).await;
    kill_many(&mut cluster, &load).await;
    let fenced = erasing.end().await;
    for node in cluster.nodes() {
        let of_node = cluster.client_of(node, TENANT).await;
        for id in &fenced {
            assert_erased(&of_node, id).await;
        }
    }
    load.end_and_check(&cluster).await;
    all_files_are_sound(&cluster).await;
}

async fn kill_many(cluster: &mut Cluster, load: &Load) {
    let kills = std::env::var("EUNOE_KILLS").map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap());
    let (progress, mut random) = (load.progress(), Random::new());
    let mut killed = 0;
    while killed < kills {
        progress.advance(ADVANCE).await;
        killed += kill_and_restart(cluster, &progress, &mut random).await;
        eprintln!("{killed} kills, {} messages acknowledged", progress.acks());
    }
    progress.advance(ADVANCE).await;
}

/// Somebody who has one person after another erased, and somebody at each node who tries to read them.
struct Erasing {
    ended: Arc<AtomicBool>,
    eraser: JoinHandle<Vec<String>>,
    readers: Vec<JoinHandle<u64>>,
}

impl Erasing {
    async fn begin(cluster: &Cluster) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (fenced, seen) = watch::channel(Vec::new());
        let mut readers = Vec::new();
        for node in cluster.nodes() {
            let reader = read_fenced(impatient(cluster, node).await, seen.clone(), Arc::clone(&ended));
            readers.push(tokio::spawn(reader));
        }
        let eraser = erase_people(cluster.client(TENANT).await, fenced, Arc::clone(&ended));
        Self {
            ended,
            eraser: tokio::spawn(eraser),
            readers,
        }
    }

    /// Ends it; answers the conversations of those who were erased.
    async fn end(self) -> Vec<String> {
        self.ended.store(true, Ordering::Relaxed);
        let fenced = self.eraser.await.unwrap();
        let mut answered = 0;
        for reader in self.readers {
            answered += reader.await.unwrap();
        }
        eprintln!(
            "{} people were erased and asked for {answered} times",
            fenced.len()
        );
        assert!(
            !fenced.is_empty() && answered > 0,
            "nobody was erased, or asked for"
        );
        fenced
    }
}

/// Every second one is in a hurry, so that roots are changed and destroyed meanwhile.
async fn erase_people(
    client: Client,
    fenced: watch::Sender<Vec<String>>,
    ended: Arc<AtomicBool>,
) -> Vec<String> {
    for number in 0.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("person-{number}");
        let id = talk(&client, &name).await;
        erase(&client, subject(&name, number % 2 == 0)).await;
        fenced.send_modify(|fenced| fenced.push(id));
    }
    fenced.borrow().clone()
}

/// Reads those who are erased, again and again; answers how often the node said something, which was never a word of
/// them.
async fn read_fenced(
    client: Client,
    mut fenced: watch::Receiver<Vec<String>>,
    ended: Arc<AtomicBool>,
) -> u64 {
    let mut answered = 0;
    while !ended.load(Ordering::Relaxed) {
        let known = fenced.borrow_and_update().clone();
        for id in known.iter().rev().take(READ_AGAIN) {
            answered += u64::from(shows_nothing(&client, id).await.is_ok());
        }
        tokio::time::sleep(PAUSE).await;
    }
    answered
}

/// Stops the nodes and checks what they keep.
pub(crate) async fn all_files_are_sound(cluster: &Cluster) {
    cluster.stop().await;
    for node in cluster.nodes() {
        let (sound, findings) = cluster.fsck(node).await;
        assert!(sound, "fsck finds damage on node {node}: {findings}");
    }
}

/// Kills one node or two, with or without a while in which the others work alone; says how many.
async fn kill_and_restart(cluster: &mut Cluster, progress: &Progress, random: &mut Random) -> u64 {
    let nodes = cluster.nodes();
    let victim = *random.pick(&nodes);
    cluster.kill(victim).await;
    match random.below(4) {
        0 => {
            let others: Vec<u64> = nodes.into_iter().filter(|node| *node != victim).collect();
            let second = *random.pick(&others);
            cluster.kill(second).await;
            // The majority is gone with them: nothing is acknowledged until both are back.
            cluster.restart(&[victim, second]).await;
            2
        }
        1 => {
            cluster.restart(&[victim]).await;
            1
        }
        _ => {
            progress.advance(ADVANCE).await;
            cluster.restart(&[victim]).await;
            1
        }
    }
}

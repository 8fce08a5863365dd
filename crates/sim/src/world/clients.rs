//! What clients do: they talk, read, follow, close and erase, in an order that the seed says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eunoe_server::edge::PageStart;
use eunoe_types::Seq;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::asking::Asker;
use super::coverage::Event;
use super::ledger::Known;
use crate::history::{
    Append, Chat, Create, Erase, Node, Outcome, Person, Profile, Refusal, TailStart, Target, Tenant,
};

/// People of a tenant.
const PEOPLE: u32 = 5;
/// Tenants.
const TENANTS: u32 = 2;
/// Conversations that a world begins with.
const CHATS: u32 = 6;
/// Attempts at one call before a client lets go of it.
const ATTEMPTS_MAX: usize = 60;

/// A client with its own chance.
pub(super) struct Habit {
    asker: Asker,
    random: SmallRng,
    nodes: Vec<Node>,
    stop: Arc<AtomicBool>,
}

impl Habit {
    /// A client.
    pub(super) fn new(asker: Asker, seed: u64, nodes: Vec<Node>, stop: Arc<AtomicBool>) -> Self {
        Self {
            asker,
            random: SmallRng::seed_from_u64(seed),
            nodes,
            stop,
        }
    }

    fn node(&mut self) -> Node {
        self.nodes[self.random.random_range(0..self.nodes.len())]
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        let pause = self.random.random_range(ms);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Creates the conversations that a world begins with.
    pub(super) async fn begin(mut self) {
        for number in 0..CHATS {
            let tenant = Tenant(number % TENANTS);
            let profile = match number / TENANTS {
                0 => Profile::Peer,
                person => Profile::Support(Person(person)),
            };
            self.create(tenant, profile).await;
        }
    }

    async fn create(&mut self, tenant: Tenant, profile: Profile) {
        let create = {
            let mut book = self.asker.ledger.book();
            let chat = book.new_chat();
            let create = Create {
                chat,
                tenant,
                profile,
            };
            book.creating.insert(chat, create.clone());
            create
        };
        for _ in 0..ATTEMPTS_MAX {
            let node = self.node();
            match self.asker.create(node, create.clone()).await {
                Outcome::Unknown | Outcome::Refused(Refusal::Unavailable) => self.pause(50..400).await,
                Outcome::Pending | Outcome::Ok(_) | Outcome::Refused(_) => break,
            }
        }
        self.asker.ledger.book().creating.remove(&create.chat);
    }

    /// Does one thing after the other until it is told to stop.
    pub(super) async fn live(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.pause(0..120).await;
            let Some(chat) = self.chat() else {
                self.pause(100..200).await;
                continue;
            };
            match self.random.random_range(0..100) {
                0..50 => self.talk(&chat).await,
                50..74 => self.read(&chat).await,
                74..86 => self.tail(&chat).await,
                86..87 => drop(self.close(&chat).await),
                87..91 => self.open_another().await,
                91..95 => self.erase(&chat).await,
                _ => self.look().await,
            }
        }
    }

    fn chat(&mut self) -> Option<Known> {
        let book = self.asker.ledger.book();
        // Those that came late are looked at more often: the early ones end up erased or closed.
        let count = book.chats.len();
        let at = self.random.random_range(0..count.max(1));
        let at = at.max(self.random.random_range(0..count.max(1)));
        book.chats.values().nth(at).cloned()
    }

    fn person(&mut self) -> Person {
        Person(self.random.random_range(0..PEOPLE))
    }

    /// Appends, and again with the same request id for as long as nobody knows whether it was taken.
    async fn talk(&mut self, chat: &Known) {
        let (request, text) = self.asker.ledger.book().new_request();
        let about = match self.random.random_range(0..8) {
            0 => vec![self.person()],
            _ => Vec::new(),
        };
        let mut append = Append {
            chat: chat.create.chat,
            author: self.person(),
            about,
            request,
            text,
        };
        append.about.retain(|person| *person != append.author);
        let mut unknown = false;
        for attempt in 0..ATTEMPTS_MAX {
            let node = self.node();
            match self.asker.append(node, chat, append.clone()).await {
                Outcome::Unknown => unknown = true,
                Outcome::Refused(Refusal::Unavailable) if unknown || attempt < 3 => {}
                Outcome::Ok(_) => return self.repeat(chat, append).await,
                Outcome::Pending | Outcome::Refused(_) => return,
            }
            if self.stop.load(Ordering::Relaxed) || self.random.random_range(0..8) == 0 {
                return;
            }
            self.asker.net.count(Event::SentAgain);
            self.pause(10..200).await;
        }
    }

    /// Sometimes sends a message again that was stored, or another one under its request id.
    async fn repeat(&mut self, chat: &Known, mut append: Append) {
        match self.random.random_range(0..20) {
            0 => {}
            1 => append.text = self.asker.ledger.book().new_request().1,
            _ => return,
        }
        let node = self.node();
        self.asker.net.count(Event::SentAgain);
        let _told = self.asker.append(node, chat, append).await;
    }

    async fn read(&mut self, chat: &Known) {
        let (start, backward) = match (self.random.random_range(0..6), &chat.page) {
            (0 | 1, _) => (PageStart::End, true),
            (2, Some((token, _))) => (PageStart::Token(token.clone()), false),
            (3, _) => (PageStart::Seq(Seq(self.random.random_range(1..20))), false),
            _ => (PageStart::End, false),
        };
        let node = self.node();
        let _told = self.asker.read(node, chat, start, backward).await;
    }

    async fn tail(&mut self, chat: &Known) {
        let start = match (self.random.random_range(0..4), &chat.position) {
            (0, _) => TailStart::Now,
            (1, _) => TailStart::After(0),
            (_, Some((_, seq, given))) => TailStart::Position {
                seq: *seq,
                given: *given,
            },
            (_, None) => TailStart::Now,
        };
        let (events, patience) = (
            self.random.random_range(1..20),
            self.random.random_range(200..4_000),
        );
        let (asker, chat, node) = (self.asker.clone(), chat.clone(), self.node());
        // It follows while the client goes on with other things.
        tokio::spawn(async move {
            let patience = Duration::from_millis(patience);
            asker.tail(node, &chat, start, events, patience).await;
        });
    }

    async fn close(&mut self, chat: &Known) -> Outcome {
        let node = self.node();
        self.asker.close(node, chat).await
    }

    async fn open_another(&mut self) {
        let tenant = Tenant(self.random.random_range(0..TENANTS));
        let profile = match self.random.random_range(0..3) {
            0 => Profile::Peer,
            _ => Profile::Support(self.person()),
        };
        let is_free = {
            let book = self.asker.ledger.book();
            let gone = |target| book.erased.contains_key(&target);
            !gone(Target::Tenant(tenant))
        };
        if is_free {
            self.create(tenant, profile).await;
        }
    }

    /// Asks for an erasure, again until it is taken. Nothing is erased that a conversation under way needs.
    async fn erase(&mut self, chat: &Known) {
        let tenant = chat.create.tenant;
        let target = match self.random.random_range(0..30) {
            0 => Target::Tenant(tenant),
            1..16 => Target::Chat(chat.create.chat),
            _ => Target::Person(tenant, self.person()),
        };
        let request = {
            let mut book = self.asker.ledger.book();
            if book.creating.values().any(|create| create.tenant == tenant) {
                return;
            }
            book.new_request().0
        };
        let erase = Erase {
            target,
            request: Some(request),
        };
        let urgent = self.random.random_range(0..2) == 0;
        let id = matches!(target, Target::Chat(_)).then_some(chat.id);
        let people: &[&str] = match target {
            Target::Tenant(_) => &["dpo", "platform"],
            Target::Chat(_) | Target::Person(..) => &["dpo"],
        };
        for person in people {
            for _ in 0..ATTEMPTS_MAX {
                let node = self.node();
                match self.asker.erase(node, (tenant, erase), id, person, urgent).await {
                    Outcome::Unknown | Outcome::Refused(Refusal::Unavailable) => self.pause(50..400).await,
                    Outcome::Pending | Outcome::Ok(_) | Outcome::Refused(_) => break,
                }
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    async fn look(&mut self) {
        let known = self.asker.ledger.book().erasures();
        if known.is_empty() {
            return;
        }
        let number = known[self.random.random_range(0..known.len())];
        let node = self.node();
        let _told = self.asker.look(node, number).await;
    }
}

/// After all faults: everything that was known can be asked on every node, and erasures come to their end.
pub(super) async fn look_around(asker: Asker, nodes: Vec<Node>) {
    let chats: Vec<(Chat, Known)> = {
        let book = asker.ledger.book();
        book.chats
            .iter()
            .map(|(chat, known)| (*chat, known.clone()))
            .collect()
    };
    for node in nodes {
        for (_, chat) in &chats {
            let _written_down = asker.read(node, chat, PageStart::End, false).await;
        }
    }
}

//! Erasures: which were asked for, since when each is in effect for sure, and what they reach.
//!
//! A person who comes back after an erasure has new keys under the old name. So what was written while an erasure was
//! under way may belong to either, and nothing is claimed about it; what was stored before it began is gone for sure.

use std::collections::BTreeMap;

use super::facts::{Body, Facts};
use crate::history::{
    Call, Erase, ErasureNo, History, Operation, Person, Profile, Reply, Step, Target, Tick,
};

/// An erasure that was asked for, by however many calls.
pub(super) struct Attempt<'h> {
    pub(super) target: Target,
    /// The first call that may have begun it.
    pub(super) asked: &'h Call,
    /// The first answer that said FENCED.
    pub(super) fenced: Option<&'h Call>,
}

impl Attempt<'_> {
    /// Since when it is in effect for sure.
    pub(super) fn since(&self) -> Option<Tick> {
        self.fenced.map(Call::answered)
    }
}

/// All erasures that were asked for and not refused.
pub(super) struct Attempts<'h> {
    all: Vec<Attempt<'h>>,
    deaf_max: Tick,
}

impl<'h> Attempts<'h> {
    /// How long after its answer a fence may be unknown to a node.
    pub(super) fn deaf_max(&self) -> Tick {
        self.deaf_max
    }

    pub(super) fn of(history: &'h History, deaf_max: Tick) -> Self {
        let mut all: Vec<(Erase, Option<ErasureNo>, Attempt<'h>)> = Vec::new();
        for call in history.calls() {
            let Operation::Erase(erase) = &call.operation else {
                continue;
            };
            if call.is_refused() {
                continue;
            }
            let id = said(call).map(|(id, _)| id);
            let same = all.iter_mut().find(|(other, known, _)| {
                other.target == erase.target
                    && ((id.is_some() && id == *known)
                        || (erase.request.is_some() && erase.request == other.request))
            });
            match same {
                Some((_, known, attempt)) => {
                    *known = known.or(id);
                    if call.begun < attempt.asked.begun {
                        attempt.asked = call;
                    }
                    attempt.fenced = earlier(attempt.fenced, fenced(call));
                }
                None => all.push((
                    *erase,
                    id,
                    Attempt {
                        target: erase.target,
                        asked: call,
                        fenced: fenced(call),
                    },
                )),
            }
        }
        let looks = history
            .calls()
            .iter()
            .filter_map(|call| Some((said(call)?.0, fenced(call)?)));
        let mut looked: BTreeMap<ErasureNo, &Call> = BTreeMap::new();
        for (id, call) in looks {
            let first = looked.entry(id).or_insert(call);
            *first = earlier(Some(*first), Some(call)).unwrap_or(call);
        }
        // A server answers with an erasure under way that covers the target, of a tenant say: it was asked for earlier.
        let mut asked: BTreeMap<ErasureNo, &Call> = BTreeMap::new();
        for (_, id, attempt) in &all {
            if let Some(id) = id {
                let first = asked.entry(*id).or_insert(attempt.asked);
                if attempt.asked.begun < first.begun {
                    *first = attempt.asked;
                }
            }
        }
        for (_, id, attempt) in &mut all {
            if let Some(first) = id.and_then(|id| asked.get(&id).copied()) {
                attempt.asked = first;
            }
            let look = id.and_then(|id| looked.get(&id).copied());
            attempt.fenced = earlier(attempt.fenced, look);
        }
        Self {
            all: all.into_iter().map(|(_, _, attempt)| attempt).collect(),
            deaf_max,
        }
    }

    /// Those that destroy a whole conversation for sure.
    pub(super) fn whole<'a>(&'a self, facts: &'a Facts<'h>) -> impl Iterator<Item = &'a Attempt<'h>> {
        self.all.iter().filter(|attempt| is_whole(attempt, facts))
    }

    /// Those after which a message that stood in its place at `stored` is unreadable for sure.
    pub(super) fn killing<'a>(
        &'a self,
        facts: &'a Facts<'h>,
        body: Option<&'a Body<'h>>,
        stored: Tick,
    ) -> impl Iterator<Item = &'a Attempt<'h>> {
        self.all.iter().filter(move |attempt| {
            let of_owner = match attempt.target {
                Target::Person(tenant, person) => {
                    of_tenant(facts, tenant) == Some(true)
                        && body.is_some_and(|body| owns(facts, body, person))
                        && stored < attempt.asked.begun
                }
                Target::Chat(_) | Target::Tenant(_) => false,
            };
            of_owner || is_whole(attempt, facts)
        })
    }

    /// Those that may have made a message, or anything of the conversation, unreadable by `tick`.
    pub(super) fn touching<'a>(
        &'a self,
        facts: &'a Facts<'h>,
        body: Option<&'a Body<'h>>,
        tick: Tick,
    ) -> impl Iterator<Item = &'a Attempt<'h>> {
        self.all.iter().filter(move |attempt| {
            attempt.asked.begun <= tick
                && match attempt.target {
                    Target::Chat(chat) => chat == facts.chat,
                    Target::Tenant(tenant) => of_tenant(facts, tenant) != Some(false),
                    Target::Person(tenant, person) => {
                        of_tenant(facts, tenant) != Some(false)
                            && self.may_reach(attempt, facts, body, person)
                    }
                }
        })
    }

    fn may_reach(
        &self,
        attempt: &Attempt<'_>,
        facts: &Facts<'_>,
        body: Option<&Body<'_>>,
        person: Person,
    ) -> bool {
        let principal = facts.create.is_none_or(|(new, call)| {
            new.profile == Profile::Support(person) && attempt.since().is_none_or(|since| call.begun <= since)
        });
        let Some(body) = body else {
            // Whose message it was is not known.
            return true;
        };
        let written = body.first().map_or(0, |call| call.begun);
        // A node that does not know the fence yet seals under the keys of before.
        let may_be_of_before = |since| written <= since + self.deaf_max;
        principal
            || (body.owners().any(|owner| owner == person) && attempt.since().is_none_or(may_be_of_before))
    }
}

fn said(call: &Call) -> Option<(ErasureNo, Step)> {
    match call.reply() {
        Some(Reply::Erasure(erasure)) => Some((erasure.id, erasure.step)),
        Some(_) | None => None,
    }
}

fn fenced(call: &Call) -> Option<&Call> {
    said(call).filter(|(_, step)| *step >= Step::Fenced).map(|_| call)
}

fn earlier<'h>(one: Option<&'h Call>, other: Option<&'h Call>) -> Option<&'h Call> {
    one.into_iter().chain(other).min_by_key(|call| call.answered())
}

/// `None` where the conversation's creation is not in the history.
fn of_tenant(facts: &Facts<'_>, tenant: crate::history::Tenant) -> Option<bool> {
    facts.create.map(|(new, _)| new.tenant == tenant)
}

fn is_whole(attempt: &Attempt<'_>, facts: &Facts<'_>) -> bool {
    if attempt.target == Target::Chat(facts.chat) {
        return true;
    }
    facts.create.is_some_and(|(new, call)| {
        let named = match (attempt.target, new.profile) {
            (Target::Tenant(tenant), _) => tenant == new.tenant,
            (Target::Person(tenant, person), Profile::Support(principal)) => {
                (tenant, person) == (new.tenant, principal)
            }
            (Target::Chat(_), _) | (Target::Person(..), Profile::Peer) => false,
        };
        named && call.answered() < attempt.asked.begun
    })
}

/// Whether the message needs the person's keys, beside being in the person's conversation.
fn owns(facts: &Facts<'_>, body: &Body<'_>, person: Person) -> bool {
    match facts.create.map(|(new, _)| new.profile) {
        Some(Profile::Support(_)) => body.asked.about.contains(&person),
        Some(Profile::Peer) => body.owners().any(|owner| owner == person),
        None => false,
    }
}

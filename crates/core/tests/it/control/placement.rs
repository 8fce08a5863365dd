//! What the control group makes of sites: before, at and after genesis.

use eunoe_core::control::{self, Command, ControlMachine, NodeRow, NodeState, Rejection, Reply};
use eunoe_core::placement::Policy;
use eunoe_types::{NodeId, TimeMs};

use super::group::genesis_of;
use crate::support::{Rows, run};

/// 2024-10-04.
const BEGUN: TimeMs = TimeMs(1_728_000_000_000);
/// 2010-01-01.
const LONG_AGO: TimeMs = TimeMs(1_262_304_000_000);

fn node(id: u64, site: &str) -> NodeRow {
    NodeRow {
        id: NodeId(id),
        client_address: "a:1".to_owned(),
        peer_address: "a:2".to_owned(),
        spki_sha256: [id as u8; 32],
        site: site.to_owned(),
        state: NodeState::Admitted,
    }
}

fn genesis(policy: Policy, sites: &[&str]) -> Command<'static> {
    let nodes = (1..).zip(sites).map(|(id, site)| node(id, site)).collect();
    Command::Genesis(genesis_of(nodes, policy, BEGUN))
}

fn admit(id: u64, site: &str, time: TimeMs) -> Command<'static> {
    Command::AdmitNode {
        time,
        node: node(id, site),
    }
}

fn apply(rows: &mut Rows, command: &Command<'_>) -> Reply {
    let answers = run(&ControlMachine, rows, &[command.encode()], 1);
    Reply::decode(&answers[0].reply).expect("a reply decodes")
}

fn begun(policy: Policy) -> Rows {
    let mut rows = Rows::default();
    assert_eq!(apply(&mut rows, &genesis(policy, &["de/fra/fra1"])), Reply::Done);
    rows
}

#[test]
fn a_realm_does_not_begin_with_a_node_outside() {
    for (policy, sites, rejection) in [
        (
            Policy::Eu27,
            ["de/fra/fra1", "ch/zrh/zrh1"],
            Rejection::SiteOutside,
        ),
        (
            Policy::Eu27,
            ["gb/lon/lon1", "de/fra/fra1"],
            Rejection::SiteOutside,
        ),
        (
            Policy::Eu27,
            ["de/fra/fra1", "no/osl/osl1"],
            Rejection::SiteOutside,
        ),
        (
            Policy::Eea,
            ["de/fra/fra1", "us/iad/iad1"],
            Rejection::SiteOutside,
        ),
        (
            Policy::Eu27,
            ["de/fra/fra1", "eu-central-2"],
            Rejection::SiteMalformed,
        ),
        (
            Policy::Eu27,
            ["de/fra/fra1", "el/ath/ath1"],
            Rejection::SiteMalformed,
        ),
    ] {
        let mut rows = Rows::default();
        let reply = apply(&mut rows, &genesis(policy, &sites));
        assert_eq!(reply, Reply::Rejected(rejection), "{sites:?}");
        assert_eq!(rows, Rows::default(), "a rejection writes nothing");
    }
    let mut rows = Rows::default();
    let inside = ["no/osl/osl1", "gp/bt/bt1"];
    assert_eq!(apply(&mut rows, &genesis(Policy::Eea, &inside)), Reply::Done);
    assert_eq!(control::nodes(&rows).expect("decodes").len(), 2);
}

#[test]
fn the_policy_of_genesis_holds_for_whoever_comes_later() {
    assert_eq!(
        control::placement_policy(&Rows::default()).expect("decodes"),
        None
    );
    for policy in Policy::ALL {
        let mut rows = begun(policy);
        assert_eq!(control::placement_policy(&rows).expect("decodes"), Some(policy));
        let norway = apply(&mut rows, &admit(2, "no/osl/osl1", BEGUN));
        let expected = match policy {
            Policy::Eu27 => Reply::Rejected(Rejection::SiteOutside),
            Policy::Eea => Reply::Done,
        };
        assert_eq!(norway, expected);
        for (id, site) in (3..).zip(["gp/bt/bt1", "ax/mhq/mhq1"]) {
            assert_eq!(apply(&mut rows, &admit(id, site, BEGUN)), Reply::Done, "{site}");
        }
        for site in ["ch/zrh/zrh1", "gb/lon/lon1", "us/iad/iad1", "de/eu-central-2/az1"] {
            let reply = apply(&mut rows, &admit(9, site, BEGUN));
            assert_eq!(reply, Reply::Rejected(Rejection::SiteOutside), "{site}");
        }
        let reply = apply(&mut rows, &admit(9, "eu-central-2", BEGUN));
        assert_eq!(reply, Reply::Rejected(Rejection::SiteMalformed));
        assert_eq!(control::node(&rows, NodeId(9)).expect("decodes"), None);
    }
}

#[test]
fn nobody_is_admitted_before_there_is_a_policy() {
    let reply = apply(&mut Rows::default(), &admit(1, "de/fra/fra1", BEGUN));
    assert_eq!(reply, Reply::Rejected(Rejection::NoGenesis));
}

#[test]
fn a_clock_that_is_behind_opens_no_old_border() {
    let mut rows = begun(Policy::Eu27);
    let reply = apply(&mut rows, &admit(2, "gb/lon/lon1", LONG_AGO));
    assert_eq!(reply, Reply::Rejected(Rejection::SiteOutside));
    // Croatia was not a member then, and is on the day on which the realm began.
    assert_eq!(apply(&mut rows, &admit(2, "hr/zag/zag1", LONG_AGO)), Reply::Done);
}

#[test]
fn an_admission_that_comes_again_is_not_judged_again() {
    let mut rows = begun(Policy::Eu27);
    let again = admit(1, "de/fra/fra1", BEGUN);
    assert_eq!(apply(&mut rows, &again), Reply::Done);
    let moved = admit(1, "ch/zrh/zrh1", BEGUN);
    assert_eq!(apply(&mut rows, &moved), Reply::Rejected(Rejection::NodeIdUsed));
}

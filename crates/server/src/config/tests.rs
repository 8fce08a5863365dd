use super::*;

const GOOD: &str = r#"
node_id = 2
realm = "000102030405060708090a0b0c0d0e0f"
site = "de/fra/fra1"
data_dir = "/var/lib/eunoe"
data_groups = 4
development = true

[listen]
client = "127.0.0.1:7001"
peer = "127.0.0.1:7002"
admin = "127.0.0.1:7003"

[tls]
ca = "/etc/eunoe/ca.pem"
cert = "/etc/eunoe/node.pem"
key = "/etc/eunoe/node.key"

[[members]]
node_id = 2
client = "127.0.0.1:7001"
peer = "127.0.0.1:7002"
spki_sha256 = "2222222222222222222222222222222222222222222222222222222222222222"
site = "de/fra/fra1"

[[members]]
node_id = 1
client = "one.example:7001"
peer = "[::1]:7002"
spki_sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
site = "fr/par/par1"
"#;

/// The error of the good file with one text replaced.
fn error(from: &str, to: &str) -> String {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "{from}");
    Config::parse(&text).unwrap_err().to_string()
}

#[test]
fn a_good_file_is_read_whole() {
    let config = Config::parse(GOOD).unwrap();
    assert_eq!((config.node_id, config.data_groups), (NodeId(2), 4));
    assert_eq!(config.realm.to_string(), "000102030405060708090a0b0c0d0e0f");
    assert!(config.development && !config.join);
    assert_eq!(config.placement, Policy::Eu27);
    assert_eq!(config.site.as_str(), "de/fra/fra1");
    assert_eq!(
        config
            .members
            .iter()
            .map(|member| member.node_id.0)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(config.member(NodeId(2)).unwrap().spki_sha256, [0x22; 32]);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.log.level, tracing::level_filters::LevelFilter::INFO);
    let peers: Vec<_> = config.peer_entries().collect();
    assert_eq!(
        peers[0].1,
        PeerEntry {
            address: "[::1]:7002".to_owned(),
            spki_sha256: [0x11; 32],
            site: Site::parse("fr/par/par1").unwrap(),
        }
    );
}

#[test]
fn settings_that_are_given_replace_the_defaults() {
    let text = format!(
        "{GOOD}\n[placement]\npolicy = \"EEA\"\n[log]\nlevel = \"debug\"\n[limits]\nsnapshot_log_bytes = 1048576\ntails_per_person = 3\n"
    );
    let config = Config::parse(&text).unwrap();
    assert_eq!(config.log.level, tracing::level_filters::LevelFilter::DEBUG);
    assert_eq!(config.placement, Policy::Eea);
    assert_eq!(
        config.limits,
        Limits {
            snapshot_log_bytes: 1 << 20,
            tails: TailLimits {
                per_person: 3,
                ..Limits::default().tails
            },
            ..Limits::default()
        }
    );
}

#[test]
fn an_error_names_the_field() {
    for (from, to, expected) in [
        ("node_id = 2", "node_id = 0", "node_id must not be 0"),
        ("node_id = 2", "node_id = 9", "members must include this node"),
        ("0e0f", "0e0", "realm must be 32 hex digits"),
        ("0e0f", "0e0g", "realm must be 32 hex digits"),
        (
            "data_groups = 4",
            "data_groups = 65",
            "data_groups must be 1 to 64",
        ),
        (
            "data_dir = \"/var/lib/eunoe\"",
            "data_dir = \"\"",
            "data_dir must not be empty",
        ),
        (
            "127.0.0.1:7003",
            "127.0.0.1:7002",
            "listen.admin must differ from the others",
        ),
        (
            "site = \"de/fra/fra1\"",
            "site = \"eu-central-2\"",
            "site must be <country>/<place>/<facility>, for example de/fra/fra1",
        ),
        (
            "site = \"de/fra/fra1\"",
            "site = \"de/fra/fra3\"",
            "site must be this node's site in `members`",
        ),
        (
            "fr/par/par1",
            "eu/par/par1",
            "members[1].site must begin with the code of a country (ISO 3166-1, lower case): the name of a region is none",
        ),
        (
            "[tls]",
            "[limits]\ntails = 0\n[tls]",
            "limits.tails is out of range",
        ),
        (
            "[tls]",
            "[placement]\npolicy = \"EU28\"\n[tls]",
            "placement.policy must be EU27 or EEA",
        ),
        ("2222\"", "22\"", "members[0].spki_sha256 must be 64 hex digits"),
        (
            "one.example:7001",
            "one.example",
            "members[1].client must be host:port",
        ),
        (
            "[::1]:7002",
            "127.0.0.1:7002",
            "members[1].peer is an address named twice",
        ),
        ("node_id = 1", "node_id = 2", "members[1].node_id is named twice"),
        (
            "[tls]",
            "[log]\nlevel = \"loud\"\n[tls]",
            "log.level must be error, warn, info, debug or trace",
        ),
        (
            "[tls]",
            "[limits]\nproposals_in_flight = 0\n[tls]",
            "limits.proposals_in_flight is out of range",
        ),
    ] {
        assert_eq!(error(from, to), expected);
    }
}

#[test]
fn unknown_missing_and_mistyped_fields_are_refused_with_their_line() {
    assert!(
        error("development = true", "developement = true")
            .starts_with("line 7: unknown field `developement`")
    );
    assert!(error("admin = ", "admni = ").contains("unknown field `admni`"));
    assert!(error("admin = \"127.0.0.1:7003\"", "").contains("missing field `admin`"));
    assert!(error("data_groups = 4", "data_groups = \"four\"").starts_with("line 6: invalid type"));
    assert!(matches!(
        Config::parse("node_id = "),
        Err(ConfigError::Syntax { line: 1, .. })
    ));
}

#[test]
fn keys_of_two_members_differ() {
    let text = GOOD.replace('1', "2").replace("node_id = 2", "node_id = 7");
    assert!(Config::parse(&text).is_err());
    assert_eq!(
        error(&"1".repeat(64), &"2".repeat(64)),
        "members[1].spki_sha256 is a key named twice"
    );
}

#[test]
fn more_members_than_voters_are_for_joining_only() {
    let mut text = GOOD.to_owned();
    for id in 3..=8 {
        text += &format!(
            "[[members]]\nnode_id = {id}\nclient = \"n{id}:1\"\npeer = \"n{id}:2\"\nspki_sha256 = \"{}\"\nsite = \"de/a/a\"\n",
            id.to_string().repeat(64)
        );
    }
    assert!(
        Config::parse(&text)
            .unwrap_err()
            .to_string()
            .starts_with("members must be")
    );
    assert!(Config::parse(&text.replace("development = true", "join = true")).is_ok());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/eunoe.toml")).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/eunoe.toml cannot be read");
}

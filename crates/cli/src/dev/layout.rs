//! The folder of a development cluster: which file is where, and what the cluster consists of.
//!
//! `cluster.toml` is written last when a cluster is made: a folder without it was never started.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::NODES_DEFAULT;
use super::authority::Authority;
use super::ports::free_addresses;
use crate::encoding::{hex, random};
use crate::failure::Failure;
use crate::files;

/// Raft groups for data; fixed for the life of a cluster.
const DATA_GROUPS: u32 = 4;
/// The placement policy of a cluster of which nothing was said.
const POLICY_DEFAULT: &str = "EU27";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the folder if it is not there.
    pub(super) fn at(dir: &Path) -> Result<Self, Failure> {
        files::make_folder(dir)?;
        let root = dir
            .canonicalize()
            .map_err(|error| Failure::file("enter", dir, &error))?;
        Ok(Self { root })
    }

    /// The folder of a cluster that was made before.
    pub(super) fn existing(dir: &Path) -> Result<(Self, Cluster), Failure> {
        if !dir.join("cluster.toml").is_file() {
            let dir = dir.display();
            return Err(Failure::usage(format!(
                "{dir} holds no cluster: `eunoe dev --dir {dir}` makes one"
            )));
        }
        let layout = Self::at(dir)?;
        let cluster = Cluster::read(&layout)?;
        Ok((layout, cluster))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn cluster_file(&self) -> PathBuf {
        self.root.join("cluster.toml")
    }

    pub(super) fn context_file(&self) -> PathBuf {
        self.root.join("context.toml")
    }

    pub(super) fn ready_file(&self) -> PathBuf {
        self.root.join("ready.json")
    }

    pub(super) fn processes_file(&self) -> PathBuf {
        self.root.join("processes.json")
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.root.join(".lock")
    }

    /// Certificates and keys.
    pub(super) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The issuer of tokens.
    pub(super) fn oidc(&self) -> PathBuf {
        self.root.join("oidc")
    }

    pub(super) fn data_dir(&self, id: u64) -> PathBuf {
        self.root.join(format!("node-{id}"))
    }

    pub(super) fn log_file(&self, id: u64) -> PathBuf {
        self.data_dir(id).join("eunoed.log")
    }

    pub(super) fn config_file(&self, id: u64) -> PathBuf {
        self.root.join("conf").join(format!("node-{id}.toml"))
    }
}

/// What was asked for of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) nodes: Option<u64>,
    /// One for each node, or none.
    pub(super) sites: Vec<String>,
    pub(super) policy: Option<String>,
    pub(super) epoch_period_s: Option<u32>,
    pub(super) lease_s: Option<u32>,
}

/// Where a node stands of which nothing was said.
fn default_site(id: u64) -> String {
    format!("de/dev/dev-{id}")
}

/// How fast erasures go on: the same in every node's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    /// Seconds from one epoch to the next.
    pub(super) epoch_period_s: u32,
    /// Seconds that a node may use keys without hearing from the others.
    pub(super) lease_s: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            epoch_period_s: 60,
            lease_s: 30,
        }
    }
}

/// What the cluster consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    /// Identity of the data, 32 hex digits.
    pub(super) realm: String,
    pub(super) data_groups: u32,
    /// Where nodes may stand: the name of a placement policy.
    pub(super) policy: String,
    #[serde(default)]
    pub(super) erasure: Pace,
    /// In the order of their ids; an id is never used again.
    pub(super) nodes: Vec<Node>,
}

/// One node. Its addresses stay the same over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) client: String,
    pub(super) peer: String,
    pub(super) admin: String,
    pub(super) site: String,
    pub(super) spki_sha256: String,
    /// Whether it waits to be added, and never begins a cluster.
    pub(super) join: bool,
    /// Whether the cluster has taken it in.
    pub(super) admitted: bool,
    /// Members that its configuration names.
    pub(super) knows: Vec<u64>,
}

impl Cluster {
    fn read(layout: &Layout) -> Result<Self, Failure> {
        let path = layout.cluster_file();
        toml::from_str(&files::read(&path)?).map_err(|error| Failure::file("read", &path, &error.message()))
    }

    pub(super) fn write(&self, layout: &Layout) -> Result<(), Failure> {
        let path = layout.cluster_file();
        let text = toml::to_string(self).map_err(|error| Failure::file("write", &path, &error))?;
        files::write(&path, &text, files::Access::Public)
    }

    /// The cluster of this folder, made if there is none. What is wanted must fit one that exists.
    pub(super) fn open_or_make(layout: &Layout, wanted: &Wanted) -> Result<Self, Failure> {
        if layout.cluster_file().is_file() {
            let cluster = Self::read(layout)?;
            if !wanted.sites.is_empty() || wanted.policy.is_some() {
                return Err(Failure::usage(
                    "--site and --policy are for a cluster that is made",
                ));
            }
            let present = cluster.admitted().count();
            return match wanted.nodes {
                Some(nodes) if usize::try_from(nodes).ok() != Some(present) => Err(Failure::usage(format!(
                    "the cluster in {} has {present} nodes, not {nodes}",
                    layout.root().display()
                ))),
                _ => Ok(cluster),
            };
        }
        Self::make(layout, wanted)
    }

    fn make(layout: &Layout, wanted: &Wanted) -> Result<Self, Failure> {
        let count = wanted.nodes.unwrap_or(NODES_DEFAULT);
        let named = wanted.sites.len();
        if named != 0 && u64::try_from(named).ok() != Some(count) {
            return Err(Failure::usage(format!(
                "there are {count} nodes and {named} sites: name a site for each node, or none"
            )));
        }
        if let Some(id) = (1..=count).find(|id| layout.data_dir(*id).exists()) {
            let data = layout.data_dir(id);
            return Err(Failure::local(format!(
                "{} holds data, but there is no cluster.toml that says whose",
                data.display()
            )));
        }
        let realm = hex(&random::<16>()?);
        let authority = Authority::make(&layout.tls(), &realm)?;
        let ids: Vec<u64> = (1..=count).collect();
        let addresses = free_addresses(ids.len() * 3)?;
        let mut named = wanted.sites.iter();
        let nodes = ids.iter().zip(addresses.chunks_exact(3));
        let nodes = nodes
            .map(|(id, addresses)| {
                let site = named.next().cloned().unwrap_or_else(|| default_site(*id));
                Node::make(&authority, (*id, site), addresses, false, ids.clone())
            })
            .collect::<Result<_, _>>()?;
        let cluster = Self {
            realm,
            data_groups: DATA_GROUPS,
            policy: wanted.policy.clone().unwrap_or_else(|| POLICY_DEFAULT.to_owned()),
            erasure: Pace::default(),
            nodes,
        };
        cluster.write(layout)?;
        Ok(cluster)
    }

    /// Takes what is given of the pace; nodes follow it when they are started.
    pub(super) fn set_pace(
        &mut self,
        layout: &Layout,
        epoch_period_s: Option<u32>,
        lease_s: Option<u32>,
    ) -> Result<(), Failure> {
        let pace = Pace {
            epoch_period_s: epoch_period_s.unwrap_or(self.erasure.epoch_period_s),
            lease_s: lease_s.unwrap_or(self.erasure.lease_s),
        };
        if pace == self.erasure {
            return Ok(());
        }
        self.erasure = pace;
        self.write(layout)
    }

    /// Gives a new node an id, addresses and a certificate for its site. Written at once: an id that was given away
    /// is used up.
    pub(super) fn prepare_node(&mut self, layout: &Layout, site: Option<String>) -> Result<Node, Failure> {
        let id = self.nodes.iter().map(|node| node.id).max().unwrap_or(0) + 1;
        let authority = Authority::open(&layout.tls(), &self.realm)?;
        let addresses = free_addresses(3)?;
        let mut knows: Vec<u64> = self.admitted().map(|node| node.id).collect();
        knows.push(id);
        let site = site.unwrap_or_else(|| default_site(id));
        let node = Node::make(&authority, (id, site), &addresses, true, knows)?;
        self.nodes.push(node.clone());
        self.write(layout)?;
        Ok(node)
    }

    /// Notes that the cluster has taken a node in.
    pub(super) fn admit(&mut self, layout: &Layout, id: u64) -> Result<(), Failure> {
        for node in self.nodes.iter_mut().filter(|node| node.id == id) {
            node.admitted = true;
        }
        self.write(layout)
    }

    /// The nodes that belong to the cluster.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.admitted)
    }

    /// The node with this id, if it belongs to the cluster.
    pub(super) fn node(&self, id: u64) -> Result<&Node, Failure> {
        let mut admitted = self.admitted();
        admitted
            .find(|node| node.id == id)
            .ok_or_else(|| Failure::usage(format!("the cluster has no node {id}")))
    }
}

impl Node {
    fn make(
        authority: &Authority,
        (id, site): (u64, String),
        addresses: &[String],
        join: bool,
        knows: Vec<u64>,
    ) -> Result<Self, Failure> {
        let [client, peer, admin] = addresses else {
            return Err(Failure::local("a node needs three addresses"));
        };
        Ok(Self {
            id,
            client: client.clone(),
            peer: peer.clone(),
            admin: admin.clone(),
            spki_sha256: authority.issue_node(id, &site)?,
            site,
            join,
            admitted: !join,
            knows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u64) -> Wanted {
        Wanted {
            nodes: Some(count),
            ..Wanted::default()
        }
    }

    #[test]
    fn nodes_stand_where_they_were_put() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let mut wanted = nodes(2);
        wanted.sites = vec!["gp/bt/bt1".to_owned()];
        wanted.policy = Some("EEA".to_owned());
        let error = Cluster::open_or_make(&layout, &wanted).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("2 nodes and 1 sites"), "{error}");
        wanted.sites.push("no/osl/osl1".to_owned());
        let mut cluster = Cluster::open_or_make(&layout, &wanted).unwrap();
        assert_eq!(cluster.policy, "EEA");
        assert_eq!(cluster.nodes[1].site, "no/osl/osl1");
        let later = cluster
            .prepare_node(&layout, Some("ax/mhq/mhq1".to_owned()))
            .unwrap();
        assert_eq!(later.site, "ax/mhq/mhq1");
        // What exists does not move.
        let error = Cluster::open_or_make(&layout, &wanted).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_cluster_is_made_once_and_found_again_with_its_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let made = Cluster::open_or_make(&layout, &nodes(3)).unwrap();
        let ids: Vec<_> = made.admitted().map(|node| node.id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(made.nodes.iter().all(|node| node.knows == ids && !node.join));
        assert_eq!(Cluster::open_or_make(&layout, &Wanted::default()).unwrap(), made);
        let error = Cluster::open_or_make(&layout, &nodes(5)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_pace_that_was_given_is_kept_until_another_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let mut cluster = Cluster::open_or_make(&layout, &nodes(1)).unwrap();
        let pace = |cluster: &Cluster| (cluster.erasure.epoch_period_s, cluster.erasure.lease_s);
        assert_eq!(pace(&cluster), (60, 30));
        cluster.set_pace(&layout, Some(3_600), None).unwrap();
        cluster.set_pace(&layout, None, Some(5)).unwrap();
        let (_, mut cluster) = Layout::existing(folder.path()).unwrap();
        assert_eq!(pace(&cluster), (3_600, 5));
        cluster.set_pace(&layout, None, None).unwrap();
        assert_eq!(pace(&cluster), (3_600, 5));
    }

    #[test]
    fn data_without_a_cluster_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        std::fs::create_dir(layout.data_dir(2)).unwrap();
        let error = Cluster::open_or_make(&layout, &nodes(3)).unwrap_err();
        assert!(error.to_string().contains("node-2 holds data"), "{error}");
        assert!(!layout.cluster_file().exists());
    }

    #[test]
    fn a_new_node_joins_under_an_id_of_its_own_and_counts_once_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let mut cluster = Cluster::open_or_make(&layout, &nodes(1)).unwrap();
        let abandoned = cluster.prepare_node(&layout, None).unwrap();
        let (_, mut cluster) = Layout::existing(folder.path()).unwrap();
        let node = cluster.prepare_node(&layout, None).unwrap();
        assert_eq!((abandoned.id, node.id), (2, 3));
        assert_eq!((node.join, node.admitted), (true, false));
        assert_eq!(node.knows, [1, 3]);
        assert!(cluster.node(3).is_err());
        cluster.admit(&layout, 3).unwrap();
        let (_, cluster) = Layout::existing(folder.path()).unwrap();
        assert_eq!(cluster.admitted().map(|node| node.id).collect::<Vec<_>>(), [1, 3]);
    }
}

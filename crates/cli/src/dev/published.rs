//! What scripts read: `context.toml` and `ready.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eunoe_types::Role;
use serde::{Deserialize, Serialize};

use super::authority::{ca_name, cert_name, key_name};
use super::layout::{Cluster, Layout};
use super::processes::Processes;
use crate::context::{ContextFile, Identity, NodeEndpoint};
use crate::failure::Failure;
use crate::files;

/// `ready.json`; the lists are in the order of the nodes' ids.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) ids: Vec<u64>,
    pub(super) endpoints: Vec<String>,
    pub(super) admin: Vec<String>,
    pub(super) pids: Vec<u32>,
    pub(super) data_dirs: Vec<PathBuf>,
}

/// Writes both files; `ready.json` last, because it says that the other one is there.
pub(super) fn write(layout: &Layout, cluster: &Cluster) -> Result<Ready, Failure> {
    context(cluster).write(&layout.context_file())?;
    let ready = ready(layout, cluster, &Processes::read(layout)?);
    let path = layout.ready_file();
    let text = serde_json::to_string(&ready).map_err(|error| Failure::file("write", &path, &error))?;
    files::write(&path, &format!("{text}\n"), files::Access::Public)?;
    Ok(ready)
}

fn ready(layout: &Layout, cluster: &Cluster, processes: &Processes) -> Ready {
    let started = cluster.admitted().filter_map(|node| {
        let process = processes.nodes.get(&node.id)?;
        Some((node, process.pid))
    });
    let mut ready = Ready {
        ids: Vec::new(),
        endpoints: Vec::new(),
        admin: Vec::new(),
        pids: Vec::new(),
        data_dirs: Vec::new(),
    };
    for (node, pid) in started {
        ready.ids.push(node.id);
        ready.endpoints.push(node.client.clone());
        ready.admin.push(node.admin.clone());
        ready.pids.push(pid);
        ready.data_dirs.push(layout.data_dir(node.id));
    }
    ready
}

fn context(cluster: &Cluster) -> ContextFile {
    let tls = Path::new("tls");
    let identity = |role: Role| {
        let name = role.name();
        let (cert, key) = (tls.join(cert_name(name)), tls.join(key_name(name)));
        (name.to_owned(), Identity { cert, key })
    };
    let roles: BTreeMap<_, _> = Role::ALL.into_iter().map(identity).collect();
    let nodes = cluster.admitted();
    let nodes: Vec<_> = nodes
        .map(|node| NodeEndpoint {
            id: node.id,
            endpoint: node.client.clone(),
        })
        .collect();
    ContextFile {
        token_file: None,
        endpoints: nodes.iter().map(|node| node.endpoint.clone()).collect(),
        ca: tls.join(ca_name()),
        server_name: "localhost".to_owned(),
        roles,
        nodes,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Wanted;
    use super::super::processes::Process;
    use super::*;

    #[tokio::test]
    async fn scripts_find_endpoints_pids_and_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::at(folder.path()).unwrap();
        let wanted = Wanted {
            nodes: Some(2),
            ..Wanted::default()
        };
        let cluster = Cluster::open_or_make(&layout, &wanted).unwrap();
        let me = Process::of(std::process::id()).unwrap();
        for id in [1, 2] {
            Processes::note(&layout, id, &me).await.unwrap();
        }
        write(&layout, &cluster).unwrap();

        let text = std::fs::read_to_string(layout.ready_file()).unwrap();
        let (root, pid) = (layout.root().display(), me.pid);
        let [one, two] = cluster.nodes.as_slice() else {
            panic!()
        };
        assert_eq!(
            text,
            format!(
                "{{\"ids\":[1,2],\"endpoints\":[\"{}\",\"{}\"],\"admin\":[\"{}\",\"{}\"],\"pids\":[{pid},{pid}],\
                 \"data_dirs\":[\"{root}/node-1\",\"{root}/node-2\"]}}\n",
                one.client, two.client, one.admin, two.admin
            )
        );
        let text = std::fs::read_to_string(layout.context_file()).unwrap();
        let context: ContextFile = toml::from_str(&text).unwrap();
        assert_eq!(context.endpoints, [one.client.clone(), two.client.clone()]);
        for role in ["platform", "agent", "subject", "dpo", "auditor", "operator"] {
            let identity = &context.roles[role];
            assert!(layout.root().join(&identity.cert).is_file());
            assert!(layout.root().join(&identity.key).is_file());
        }
    }
}

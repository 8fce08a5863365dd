//! The context file: where a cluster is, and a certificate for each role or a token. Paths are relative to the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eunoe_client::{Client, ClientCertificate, Context, Pem, Token};
use eunoe_types::{Role, TenantId};
use serde::{Deserialize, Serialize};

use crate::args::Global;
use crate::failure::Failure;
use crate::files;

/// What the file holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextFile {
    /// `host:port` of the nodes' client services.
    pub(crate) endpoints: Vec<String>,
    /// Certificates that vouch for the nodes.
    pub(crate) ca: PathBuf,
    /// The name in the nodes' certificates.
    #[serde(default = "localhost")]
    pub(crate) server_name: String,
    /// A token of the cluster's issuer. With it, certificates are shown only when a role is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// By role.
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, Identity>,
    /// Which node is at which endpoint, for `--node`.
    #[serde(default)]
    pub(crate) nodes: Vec<NodeEndpoint>,
}

/// A client certificate and its key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Where a node is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEndpoint {
    pub(crate) id: u64,
    pub(crate) endpoint: String,
}

fn localhost() -> String {
    "localhost".to_owned()
}

impl ContextFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let hint = "set EUNOE_CONTEXT or --context to a context file; `eunoe dev` writes one";
            Failure::usage(format!("cannot read {}: {error}; {hint}", path.display()))
        })?;
        toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{}: {}", path.display(), error.message())))
    }

    /// Writes the file, as a whole.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(|error| Failure::io("write the context", &error))?;
        files::write(path, &text, files::Access::Public)
    }

    /// The SDK's context for the caller that the arguments name.
    fn for_caller(&self, global: &Global, default_role: Role) -> Result<Context, Failure> {
        let folder = global.context.parent().unwrap_or_else(|| Path::new(""));
        let (endpoints, ca) = (self.endpoints(global)?, Pem::Path(folder.join(&self.ca)));
        let in_context = || self.token_file.as_ref().map(|path| folder.join(path));
        let token = global.token_file.clone().or_else(in_context).map(Token::Path);
        let mut context = match token {
            None => {
                let own = self.certificate(folder, global.role.unwrap_or(default_role))?;
                Context::new(endpoints, ca, own.cert, own.key, "")
            }
            Some(token) => Context::with_token(endpoints, ca, token, ""),
        };
        if let (Some(_), Some(role)) = (&context.token, global.role) {
            context.certificate = Some(self.certificate(folder, role)?);
        }
        context.server_name.clone_from(&self.server_name);
        Ok(context)
    }

    fn certificate(&self, folder: &Path, role: Role) -> Result<ClientCertificate, Failure> {
        let identity = self.roles.get(role.name()).ok_or_else(|| {
            Failure::usage(format!("the context has no certificate for role {}", role.name()))
        })?;
        let pem = |path: &Path| Pem::Path(folder.join(path));
        let (cert, key) = (pem(&identity.cert), pem(&identity.key));
        Ok(ClientCertificate { cert, key })
    }

    fn endpoints(&self, global: &Global) -> Result<Vec<String>, Failure> {
        let Some(wanted) = global.node else {
            let given = if global.endpoint.is_empty() {
                &self.endpoints
            } else {
                &global.endpoint
            };
            return Ok(given.clone());
        };
        let known = self.nodes.iter().find(|node| node.id == wanted);
        let known = known.ok_or_else(|| Failure::usage(format!("the context knows no node {wanted}")))?;
        Ok(vec![known.endpoint.clone()])
    }
}

/// What the SDK needs to act for the tenant, which must be named.
pub(crate) fn for_tenant(global: &Global) -> Result<Context, Failure> {
    for_tenant_as(global, Role::Platform)
}

fn for_tenant_as(global: &Global, default_role: Role) -> Result<Context, Failure> {
    let tenant = global
        .tenant
        .as_deref()
        .ok_or_else(|| Failure::usage("--tenant is missing"))?;
    let tenant = TenantId::new(tenant).map_err(|error| Failure::usage(format!("--tenant: {error}")))?;
    let mut context = load(global, default_role)?;
    context.tenant = tenant.to_string();
    Ok(context)
}

/// Connects for a tenant's conversations.
pub(crate) async fn tenant_client(global: &Global) -> Result<Client, Failure> {
    Ok(Client::connect(for_tenant(global)?).await?)
}

/// Connects for a tenant, unless `--role` says otherwise in this role.
pub(crate) async fn tenant_client_as(global: &Global, default_role: Role) -> Result<Client, Failure> {
    Ok(Client::connect(for_tenant_as(global, default_role)?).await?)
}

/// Connects for the tenant if one is named, else for whatever the certificate allows.
pub(crate) async fn any_tenant_client(global: &Global) -> Result<Client, Failure> {
    match &global.tenant {
        Some(_) => tenant_client(global).await,
        None => Ok(Client::connect(load(global, Role::Platform)?).await?),
    }
}

/// Connects for the cluster's own affairs.
pub(crate) async fn operator_client(global: &Global) -> Result<Client, Failure> {
    Ok(Client::connect(load(global, Role::Operator)?).await?)
}

/// Connects for who checks what the cluster did.
pub(crate) async fn auditor_client(global: &Global) -> Result<Client, Failure> {
    Ok(Client::connect(load(global, Role::Auditor)?).await?)
}

fn load(global: &Global, default_role: Role) -> Result<Context, Failure> {
    ContextFile::read(&global.context)?.for_caller(global, default_role)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Arguments;

    const FILE: &str = r#"
        endpoints = ["127.0.0.1:1", "127.0.0.1:2"]
        ca = "tls/ca.pem"
        [roles.platform]
        cert = "tls/platform.pem"
        key = "tls/platform.key"
        [[nodes]]
        id = 7
        endpoint = "127.0.0.1:2"
    "#;

    fn global(extra: &[&str]) -> Global {
        let base = ["eunoe", "read", "--ref", "r"];
        Arguments::try_parse_from(base.iter().chain(extra))
            .unwrap()
            .global
    }

    #[test]
    fn a_context_survives_being_written_and_read() {
        let file: ContextFile = toml::from_str(FILE).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("context.toml");
        file.write(&path).unwrap();
        assert_eq!(ContextFile::read(&path).unwrap(), file);
    }

    #[test]
    fn arguments_choose_the_endpoints() {
        let file: ContextFile = toml::from_str(FILE).unwrap();
        let chosen = |extra: &[&str]| file.endpoints(&global(extra));
        assert_eq!(chosen(&[]).unwrap(), ["127.0.0.1:1", "127.0.0.1:2"]);
        assert_eq!(chosen(&["--endpoint", "h:9"]).unwrap(), ["h:9"]);
        assert_eq!(chosen(&["--node", "7"]).unwrap(), ["127.0.0.1:2"]);
        assert_eq!(chosen(&["--node", "8"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_role_without_certificate_is_named() {
        let file: ContextFile = toml::from_str(FILE).unwrap();
        let error = file.for_caller(&global(&[]), Role::Dpo).unwrap_err();
        assert_eq!(error.to_string(), "the context has no certificate for role dpo");
    }

    #[test]
    fn a_token_stands_for_the_certificate_unless_a_role_is_asked_for() {
        let mut file: ContextFile = toml::from_str(FILE).unwrap();
        let path = |context: &Context| match &context.token {
            Some(Token::Path(path)) => path.clone(),
            other => panic!("{other:?}"),
        };
        let caller = |file: &ContextFile, extra: &[&str]| {
            let extra = [&["--context", "d/context.toml"], extra].concat();
            file.for_caller(&global(&extra), Role::Dpo).unwrap()
        };
        let given = caller(&file, &["--token-file", "t"]);
        assert_eq!((path(&given), given.certificate.is_none()), ("t".into(), true));
        let both = caller(&file, &["--token-file", "t", "--role", "platform"]);
        assert_eq!((path(&both), both.certificate.is_some()), ("t".into(), true));
        file.token_file = Some("t".into());
        assert_eq!(path(&caller(&file, &[])), Path::new("d/t"));
        assert_eq!(path(&caller(&file, &["--token-file", "u"])), Path::new("u"));
    }

    #[test]
    fn a_missing_context_is_wrong_use() {
        let error = ContextFile::read(Path::new("/nonexistent/context.toml")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}

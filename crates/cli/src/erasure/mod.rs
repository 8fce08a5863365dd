//! Erasing people, conversations and tenants, and seeing how far that is.

pub(crate) mod args;
mod erase;
mod show;

use eunoe_client::Client;
use eunoe_types::limits;

use eunoe_types::Role;

use crate::args::Global;
use crate::context::{any_tenant_client, tenant_client, tenant_client_as};
use crate::failure::Failure;
use crate::files::{self, Access};
use crate::output;
use args::{ErasureCommand, SubjectCommand, TenantCommand};

pub(crate) use erase::conversation;

/// `eunoe subject …`
pub(crate) async fn subject(global: &Global, command: SubjectCommand) -> Result<(), Failure> {
    let SubjectCommand::Erase { subject, options } = command;
    let client = tenant_client(global).await?;
    erase::subject(global, &client, subject, options).await
}

/// `eunoe tenant …`
pub(crate) async fn tenant(global: &Global, command: TenantCommand) -> Result<(), Failure> {
    let TenantCommand::Erase(options) = command;
    let client = tenant_client_as(global, Role::Dpo).await?;
    erase::tenant(global, &client, options).await
}

/// `eunoe erasure …`
pub(crate) async fn run(global: &Global, command: ErasureCommand) -> Result<(), Failure> {
    match command {
        ErasureCommand::Show { request } => {
            let client = any_tenant_client(global).await?;
            show::print(global.output, &client.erasures().get(&request).await?)
        }
        ErasureCommand::Receipt { request, file } => {
            let receipt = any_tenant_client(global)
                .await?
                .erasures()
                .receipt(&request)
                .await?;
            match file {
                Some(path) => files::write(&path, &receipt, Access::Public),
                None => output::bytes(receipt.as_bytes()),
            }
        }
        ErasureCommand::Cancel { request } => {
            let client = tenant_client_as(global, Role::Dpo).await?;
            show::print(global.output, &client.erasures().cancel(&request).await?)
        }
        ErasureCommand::Watch { request } => watch(global, &any_tenant_client(global).await?, &request).await,
        ErasureCommand::List { limit } => list(global, &tenant_client(global).await?, limit).await,
    }
}

async fn watch(global: &Global, client: &Client, id: &str) -> Result<(), Failure> {
    let mut watch = client.erasures().watch(id);
    loop {
        let step = tokio::select! {
            step = watch.next() => step,
            interrupted = tokio::signal::ctrl_c() => {
                return interrupted.map_err(|error| Failure::io("wait for an interrupt", &error));
            }
        };
        let Some(erasure) = step else { return Ok(()) };
        show::print(global.output, &erasure?)?;
    }
}

async fn list(global: &Global, client: &Client, limit: Option<usize>) -> Result<(), Failure> {
    let mut left = limit.unwrap_or(usize::MAX);
    let page_size = i32::try_from(left.min(limits::PAGE_MAX)).unwrap_or(0);
    let mut pages = client.erasures().list(page_size);
    while left > 0
        && let Some(erasures) = pages.next_page().await?
    {
        for erasure in erasures.iter().take(left) {
            show::print(global.output, erasure)?;
        }
        left = left.saturating_sub(erasures.len());
    }
    Ok(())
}
